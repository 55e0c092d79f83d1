"""What is no intact checkpoint is refused, in bounded memory, and nothing in it is acted on."""

import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lenet import checkpoint
from lenet.errors import UserError
from tests.checkpoint.files import ARRAYS, BYTES, META, meta_entry, npy, refused, write


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "last.npz")


@pytest.mark.parametrize("length", [0, 1, 21, 41, 100, len(BYTES) // 2, len(BYTES) - 1])
def test_a_truncated_file_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(BYTES[:length])
    assert "damaged or not a checkpoint" in refused(path)


def test_a_file_with_something_before_the_archive_is_refused_as_numpy_refuses_it(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"PK" + BYTES)
    with pytest.raises(ValueError, match="pickle"):
        np.load(path, allow_pickle=False)
    assert "it does not begin as an .npz does" in refused(path)


def test_an_entry_that_claims_more_than_the_file_has_costs_no_memory(tmp_path: Path) -> None:
    claimed = 1 << 29
    content = bytearray(
        write(
            tmp_path / "x.npz",
            {
                "meta.npy": meta_entry(),
                "x.npy": npy(np.zeros(3, np.uint8)).replace(b"(3,), }" + b" " * 8, b"(536870912,), }"),
            },
        ).read_bytes()
    )
    at = content.rindex(b"PK\1\2")  # the last entry in the directory
    content[at + 20 : at + 28] = (claimed + 128).to_bytes(4, "little") * 2  # packed and unpacked
    (tmp_path / "x.npz").write_bytes(content)
    tracemalloc.start()
    try:
        assert "`x` claims 536,871,040 bytes, more than the file can hold" in refused(tmp_path / "x.npz")
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_changed_weight_is_refused_by_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    weight = ARRAYS["velocity/conv1/weight"].tobytes()
    path.write_bytes(BYTES.replace(weight, b"\1" + weight[1:]))
    assert "CRC" in refused(path)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    pickled = npy(np.array([{"a": 1}], dtype=object))
    message = refused(write(tmp_path / "x.npz", {"meta.npy": meta_entry(), "x.npy": pickled}))
    assert "`x` has no header of a plain array" in message


def test_a_header_is_never_evaluated(tmp_path: Path) -> None:
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"-" * 5000 + b"1,), }\n"
    entry = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    assert "no header" in refused(write(tmp_path / "x.npz", {"x.npy": entry}))


def test_a_shape_larger_than_its_data_is_refused(tmp_path: Path) -> None:
    entry = npy(np.zeros(1, np.float32)).replace(b"(1,), }    ", b"(99999,), }")
    assert "not what shape (99999,)" in refused(write(tmp_path / "x.npz", {"x.npy": entry}))


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    zeros = np.zeros(checkpoint.MAX_BYTES // 2, np.uint8)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in "abc":
            with archive.open(f"{name}.npy", "w") as entry:
                # One compressed megabyte that says it is half a gibibyte is enough: nobody looks inside.
                entry.write(zeros[: 1 << 20].tobytes())
    data = path.read_bytes().replace((1 << 20).to_bytes(4, "little"), zeros.size.to_bytes(4, "little"))
    path.write_bytes(data)
    assert f"at most 10,000 of {checkpoint.MAX_BYTES:,}" in refused(path)


def test_an_entry_that_holds_more_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    entry = npy(np.zeros(1_000_000, np.float32))
    write(path, {"x.npy": entry}, zipfile.ZIP_DEFLATED)
    small = npy(np.zeros(4, np.float32))
    path.write_bytes(path.read_bytes().replace(len(entry).to_bytes(4, "little"), len(small).to_bytes(4, "little")))
    refused(path)


def test_too_many_arrays_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenet.checkpoint.reading.MAX_ARRAYS", 3)
    assert "5 arrays" in refused(write(tmp_path / "x.npz", {f"{n}.npy": npy(np.zeros(1)) for n in range(5)}))


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        (b"", "no text `meta`"),
        (npy(np.zeros(3)), "no text `meta`"),
        (npy(np.array("{")), "`meta` is not JSON"),
        (npy(np.array("[" * 100_000)), "`meta` is not JSON"),
        (npy(np.array("[]")), "format None"),
        (npy(np.array("{}")), "format None"),
        (meta_entry(format=2), "format 2, this version reads format 1"),
        (meta_entry(format=True), "format True"),
        (meta_entry(format="1"), "format '1'"),
    ],
)
def test_a_wrong_meta_is_refused(tmp_path: Path, meta: bytes, said: str) -> None:
    entries = {"x.npy": npy(np.zeros(1)), **({"meta.npy": meta} if meta else {})}
    assert said in refused(write(tmp_path / "x.npz", entries))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    assert "no such file" in refused(tmp_path / "x.npz")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_bytes_are_refused_or_mean_the_same(tmp_path: Path, data: st.DataObject) -> None:
    mutated = bytearray(BYTES)
    # Half of the changes fall into the directory at the end, where there is something to get wrong.
    places = st.integers(0, len(BYTES) - 1) | st.integers(len(BYTES) - 400, len(BYTES) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(places)] = data.draw(st.integers(0, 255))
    mutated = mutated[: data.draw(st.just(len(mutated)) | st.integers(0, len(mutated)))]
    path = tmp_path / "x.npz"
    path.write_bytes(mutated)
    try:
        loaded = checkpoint.load(path)
        checkpoint.check(loaded, ARRAYS)
    except UserError:
        return
    assert {name: array.tobytes() for name, array in loaded.arrays.items()} == {
        name: array.tobytes() for name, array in ARRAYS.items()
    }
    assert loaded.meta == {"format": checkpoint.FORMAT, **META}
