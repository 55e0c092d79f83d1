"""A checkpoint that was made to do harm is refused in one message of few words, and little memory."""

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lenet import checkpoint
from lenet.common.stored_json import MAX_CHARACTERS
from tests.checkpoint.files import meta_entry, npy, refused, write


def header(descr: str, shape: str, data: bytes = b"") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


META_ENTRY = meta_entry()
RAW_META = {
    # characters of `meta` as bytes, or its JSON: what the message says
    b"\xff\xff\xff\x7f": "no text",
    '{"format": 1, "x": "\ud800"}'.encode("utf-32-le", "surrogatepass"): "no text",
    '{"format": 1, "x": "\\ud800"}': "surrogates",
    '{"format": 1, "x": ' + "[" * 100_000 + "]" * 100_000 + "}": "while decoding a JSON array",
    '{"format": 1, "x": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}": "while decoding a JSON object",
    '{"format": 2, "format": 1}': "twice the key 'format'",
    '{"format": 1, "config": {"seed": 1, "seed": 2}}': "twice the key 'seed'",
    '{"format": 1, "x": ' + "9" * 4000 + "}": "integer of 4,000 digits",
    '{"format": [' + "1," * 100_000 + "1]}": "format [1, 1",
    '{"format": NaN}': "format nan",
    '{"format": 1}' + " " * MAX_CHARACTERS: "characters",
}


@pytest.mark.parametrize(("meta", "said"), RAW_META.items(), ids=list(RAW_META.values()))
def test_a_meta_that_no_run_writes_is_refused_in_few_words(tmp_path: Path, meta: bytes | str, said: str) -> None:
    raw = meta if isinstance(meta, bytes) else meta.encode("utf-32-le")
    entry = header(f"<U{len(raw) // 4}", "()", raw)
    message = refused(write(tmp_path / "x.npz", {"meta.npy": entry}, zipfile.ZIP_DEFLATED))
    assert said in message
    assert len(message) < 600


@pytest.mark.parametrize(
    "entry",
    {
        "negative": header("<f4", "(-1,)"),
        "nothing of a giant": header("<f4", "(1099511627776, 0)"),
        "nothing of giants": header("<f4", "(999999999999999999, 0, 999999999999999999, 999999999999999999)"),
        "too many axes": header("<f4", "(" + "1, " * 33 + ")", bytes(4)),
        "objects": header("|O", "(1,)", bytes(8)),
        "records": header("|V8", "(1,)", bytes(8)),
        "no width": header("<U0", "(1099511627776,)"),
        "giant width": header("<U999999999", "(0,)"),
        "a formula": header("<f4", "(1+1,)", bytes(8)),
        "no header": b"",
        "a pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    }.items(),
    ids=lambda entry: entry[0],
)
def test_an_absurd_array_is_refused(tmp_path: Path, entry: tuple[str, bytes]) -> None:
    message = refused(write(tmp_path / "x.npz", {"meta.npy": META_ENTRY, "a.npy": entry[1]}))
    assert len(message) < 600


@pytest.mark.parametrize("name", ["", "\x1b[2J", "a\nb", "x" * 501, "x" * 60_000, "\u202e"])
def test_a_name_that_cannot_be_shown_is_refused_and_never_saved(tmp_path: Path, name: str) -> None:
    message = refused(write(tmp_path / "x.npz", {"meta.npy": META_ENTRY, f"{name}.npy": npy(np.zeros(1))}))
    assert message.isprintable()
    assert len(message) < 600
    with pytest.raises(ValueError, match="no name"):
        checkpoint.dumps({name: np.zeros(1)}, {})


def altered(path: Path, change: dict[int, bytes]) -> Path:
    """Write a checkpoint of `meta` and `a`, with other bytes in the directory's entry of `a`, by their offset there."""
    write(path, {"meta.npy": META_ENTRY, "a.npy": npy(np.zeros(3))})
    raw = bytearray(path.read_bytes())
    entry = raw.rfind(b"PK\x01\x02")
    for offset, new in change.items():
        raw[entry + offset : entry + offset + len(new)] = new
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    "change",
    {
        "encrypted": {8: b"\x01\x00"},
        "compressed by bzip2": {10: b"\x0c\x00"},
        "compressed by lzma": {10: b"\x0e\x00"},
        "another checksum": {16: b"abcd"},
        "shorter packed": {20: b"\x01\x00\x00\x00"},
        "larger": {24: b"\xff\xff\xff\x7f"},
        "a larger one told elsewhere": {24: b"\xff\xff\xff\xff"},
        "on another disk": {34: b"\x01\x00"},
        "over another entry": {42: b"\x00\x00\x00\x00"},
        "past the end": {42: b"\xff\xff\xff\x0f"},
        "of another name": {46: b"b"},
    }.items(),
    ids=lambda change: change[0],
)
def test_an_archive_that_lies_about_an_entry_is_refused(tmp_path: Path, change: tuple[str, dict[int, bytes]]) -> None:
    path = altered(tmp_path / "x.npz", change[1])
    if change[0] == "on another disk":  # what nobody reads changes nothing
        assert checkpoint.load(path).arrays["a"].shape == (3,)
    else:
        assert len(refused(path)) < 600


def test_a_link_in_an_archive_is_a_name_and_no_link(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a.npy")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("meta.npy", META_ENTRY)
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path / "x.npz")


def test_little_more_memory_is_taken_than_the_arrays_have(tmp_path: Path) -> None:
    size = 100_000_000
    entry = header("|u1", f"({size},)", bytes(size))
    path = write(tmp_path / "x.npz", {"meta.npy": META_ENTRY, "a.npy": entry}, zipfile.ZIP_DEFLATED)
    del entry
    tracemalloc.start()
    array = checkpoint.load(path).arrays["a"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert array.nbytes == size
    assert peak < 1.3 * size
    assert not array.flags.writeable
