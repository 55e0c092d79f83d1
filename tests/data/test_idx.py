"""IDX files: what is read, and one clear error for everything that is not an IDX file."""

import gzip
import os
import struct
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenet.data import Idx
from lenet.data.idx import MAX_DEFLATE_RATIO, Kind, idx_images, idx_labels, read_idx
from lenet.errors import UserError

IMAGES = struct.pack(">HBB3I", 0, 8, 3, 2, 2, 3) + bytes(range(12))
LABELS = struct.pack(">HBB1I", 0, 8, 1, 4) + bytes([3, 1, 4, 1])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_images_and_labels_are_read_plain_and_packed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(IMAGES))
    assert idx_images(read_idx(path, "images")).tolist() == np.arange(12).reshape(2, 1, 2, 3).tolist()
    path.write_bytes(pack(LABELS))
    labels = idx_labels(read_idx(path, "labels"))
    assert labels.dtype == np.int64
    assert labels.tolist() == [3, 1, 4, 1]


BROKEN: list[tuple[str, Kind, bytes, str]] = [
    ("empty", "images", b"", "not an IDX file: it begins with nothing"),
    ("no magic", "images", b"\x89PNG\r\n\x1a\n", "not an IDX file: it begins 89 50 4e 47"),
    ("another type", "images", b"\0\0\x0d\x03" + IMAGES[4:], "values of type 0x0d"),
    ("labels for images", "images", LABELS, "1 dimensions .a file of labels."),
    ("images for labels", "labels", IMAGES, "3 dimensions .a file of images."),
    ("truncated header", "images", IMAGES[:9], "truncated in its header, after 9 bytes"),
    ("truncated values", "images", IMAGES[:-1], "claims 28 bytes; .* cannot hold more than 27"),
    ("trailing bytes", "images", IMAGES + b"!", "more bytes than the 28"),
    ("no images", "images", struct.pack(">HBB3I", 0, 8, 3, 0, 2, 3), "a count of 0"),
    ("no pixels", "images", struct.pack(">HBB3I", 0, 8, 3, 2, 0, 3), "images of .0, 3. pixels"),
    ("absurd sides", "images", struct.pack(">HBB3I", 0, 8, 3, 2, 2**31, 3), "1 to 4096 a side"),
    (
        "absurd count",
        "images",
        struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 4096, 4096),
        "claims 72057594021150736",
    ),
    ("gzip header alone", "images", gzip.compress(IMAGES)[:10], "damaged or truncated gzip"),
    ("truncated gzip", "images", gzip.compress(IMAGES)[:-9], "damaged or truncated gzip"),
    ("gzip checksum", "images", gzip.compress(IMAGES)[:-8] + bytes(8), "damaged or truncated gzip"),
    ("gzip, then rubbish", "images", gzip.compress(IMAGES) + b"rubbish", "damaged or truncated gzip"),
    ("gzip of truncated values", "images", gzip.compress(IMAGES[:-1]), "truncated: found 27 bytes"),
    ("gzip of trailing bytes", "labels", gzip.compress(LABELS + b"!"), "more bytes than the 12"),
    ("gzip of nothing", "labels", gzip.compress(b""), "begins with nothing"),
]


@pytest.mark.parametrize(("name", "kind", "content", "message"), BROKEN, ids=[case[0] for case in BROKEN])
def test_a_broken_file_is_one_error_that_names_it(
    tmp_path: Path, name: str, kind: Kind, content: bytes, message: str
) -> None:
    path = tmp_path / "some-file"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_idx(path, kind)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_folder_a_pipe_and_nothing_at_all_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "missing"):
        with pytest.raises(UserError, match="found no such file"):
            read_idx(path, "images")


def test_a_false_claim_and_a_gzip_bomb_cost_no_memory(tmp_path: Path) -> None:
    claim = struct.pack(">HBB3I", 0, 8, 3, 200, 4096, 4096)  # 3.4 GB
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(LABELS) + b"".join(packer.compress(bytes(2**20)) for _ in range(200)) + packer.flush()
    path = tmp_path / "file"
    tracemalloc.start()
    try:
        for kind, content in (
            ("images", claim + bytes(100)),
            ("images", gzip.compress(claim)),
            ("labels", bomb),
        ):
            path.write_bytes(content)
            with pytest.raises(UserError):
                read_idx(path, kind)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


def test_no_deflate_stream_exceeds_the_ratio_that_bounds_a_claim() -> None:
    size = 2**26
    assert size < len(gzip.compress(bytes(size), 9)) * MAX_DEFLATE_RATIO


@settings(max_examples=150, deadline=None)
@given(data=st.data(), packed=st.booleans())
def test_a_mutated_file_is_read_or_refused_and_nothing_else(data: st.DataObject, packed: bool) -> None:
    content = bytearray(gzip.compress(IMAGES, mtime=0) if packed else IMAGES)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        content = content or bytearray(b"x")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(content)
        try:
            size = idx_images(read_idx(path, "images")).size
        except UserError as error:
            refusal = str(error)
        else:
            refusal = f"{path}: none"
            assert size > 0
        assert refusal.startswith(f"{path}: ")


def test_any_labels_become_classes_with_their_names(tmp_path: Path, write_idx_set: Callable[..., Path]) -> None:
    data = Idx(root=write_idx_set(tmp_path / "deep" / "down", labels=(7, 3, 200))).load(seed=0)
    assert data.classes == ("3", "7", "200")
    assert data.train_labels.tolist() == [1, 0, 2, 1, 0, 2]
    assert data.train_images.shape == (6, 1, 4, 5)
    assert data.test_images.shape == (4, 1, 4, 5)


def test_files_spread_over_folders_are_found_if_they_are_the_only_ones(
    tmp_path: Path, write_idx_set: Callable[..., Path]
) -> None:
    write_idx_set(tmp_path / "train", suffix=".gz")
    (tmp_path / "test").mkdir()
    for file in (tmp_path / "train").glob("t10k*"):
        file.rename(tmp_path / "test" / file.name.replace("-idx", ".idx"))
    assert len(Idx(root=tmp_path).load(seed=0).test_labels) == 4


def test_two_sets_under_one_root_are_refused_by_name(tmp_path: Path, write_idx_set: Callable[..., Path]) -> None:
    write_idx_set(tmp_path / "one")
    write_idx_set(tmp_path / "two")
    with pytest.raises(UserError, match=r"data\.root=.*in 2 folders \(.*/one, .*/two\)"):
        Idx(root=tmp_path).load(seed=0)


def test_a_missing_file_and_a_missing_root_are_named(tmp_path: Path, write_idx_set: Callable[..., Path]) -> None:
    write_idx_set(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match=r"no t10k-labels-idx1-ubyte under it, plain or .gz"):
        Idx(root=tmp_path).load(seed=0)
    with pytest.raises(UserError, match=r"data\.root=.*nowhere: no such folder"):
        Idx(root=tmp_path / "nowhere").load(seed=0)


def test_counts_that_differ_name_both_files(
    tmp_path: Path, write_idx_set: Callable[..., Path], write_idx: Callable[..., Path]
) -> None:
    write_idx_set(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte", [3, 7])
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte holds 6 images, .*train-labels-idx1-ubyte 2 labels"):
        Idx(root=tmp_path).load(seed=0)


def test_a_file_that_leaves_the_root_is_refused_by_name(tmp_path: Path, write_idx_set: Callable[..., Path]) -> None:
    folder, root = write_idx_set(tmp_path / "away"), tmp_path / "root"
    root.mkdir()
    for file in folder.iterdir():
        (root / file.name).symlink_to(file)
    with pytest.raises(UserError, match=r"leaves the root; accepted: files under"):
        Idx(root=root).load(seed=0)
    linked = tmp_path / "linked"
    linked.symlink_to(folder)  # the root itself is the user's own word
    assert len(Idx(root=linked).load(seed=0).train_labels)
