"""Arrays in .npz files: the layouts accepted, and one clear error for the rest."""

import io
import pickle
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenet.data import Npz, Pool
from lenet.errors import UserError

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (10, 6, 5), dtype=np.uint8)
LABELS = np.array([3, 7] * 5)


def save(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (IMAGES, (1, 6, 5)),
        (IMAGES.astype(np.int64), (1, 6, 5)),
        (IMAGES.astype(">u2"), (1, 6, 5)),
        (np.asfortranarray(IMAGES), (1, 6, 5)),
        (IMAGES[..., None], (1, 6, 5)),
        (np.repeat(IMAGES[..., None], 3, axis=3), (3, 6, 5)),
        (IMAGES[:, None], (1, 6, 5)),
        (np.repeat(IMAGES[:, None], 4, axis=1), (4, 6, 5)),
    ],
)
def test_every_layout_of_images_is_read(tmp_path: Path, images: np.ndarray, shape: tuple[int, ...]) -> None:
    path = save(tmp_path / "data.npz", images=images, labels=LABELS, test_images=images, test_labels=LABELS)
    data = Npz(images=path).load(seed=0)
    assert data.train_images.shape == (10, *shape)
    assert np.array_equal(data.train_images[:, 0], IMAGES)
    assert data.classes == ("3", "7")
    assert data.test_labels.tolist() == [0, 1] * 5


def test_compressed_files_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "data.npz", images=IMAGES, labels=LABELS)
    assert Npz(images=tmp_path / "data.npz").load(seed=0).name == "data"


def test_a_second_file_is_for_the_test(tmp_path: Path) -> None:
    train = save(tmp_path / "train.npz", images=IMAGES, labels=LABELS)
    test = save(tmp_path / "test.npz", images=IMAGES[:3], labels=LABELS[:3])
    data = Npz(images=train, test_images=test).load(seed=0)
    assert (len(data.train_labels), len(data.test_labels)) == (10, 3)
    assert data.source == f"{train}, {test}"


def test_without_test_images_a_balanced_share_is_split_off_by_seed(tmp_path: Path) -> None:
    path = save(tmp_path / "data.npz", images=IMAGES, labels=np.repeat([3, 7], 5))
    first, again, other = (Npz(images=path, test=0.4).load(seed) for seed in (0, 0, 1))
    assert np.bincount(first.test_labels).tolist() == [2, 2]
    assert first.digest == again.digest
    assert first.digest != other.digest


def test_without_test_images_all_are_there_to_be_read_whole_even_of_one_class(tmp_path: Path) -> None:
    pool = Npz(images=save(tmp_path / "data.npz", images=IMAGES, labels=LABELS * 0)).read()
    assert isinstance(pool, Pool)
    assert np.array_equal(pool.images[:, 0], IMAGES)
    assert (pool.labels.tolist(), pool.classes) == ([0] * 10, ("0",))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": LABELS}, "found no array 'images'"),
        ({"images": IMAGES}, "found no array 'labels'"),
        ({"images": IMAGES, "labels": LABELS, "test_images": IMAGES}, "found no array 'test_labels'"),
        (
            {"images": IMAGES, "labels": LABELS[:4]},
            r"images of shape \(10, 6, 5\) and labels of shape \(4,\)",
        ),
        ({"images": IMAGES, "labels": LABELS[:, None]}, r"labels of shape \(10, 1\)"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "at least one"),
        ({"images": IMAGES / 255, "labels": LABELS}, "'images' is of type float64; accepted: integers"),
        ({"images": IMAGES, "labels": LABELS.astype(str)}, "'labels' is of type <U"),
        (
            {"images": IMAGES.astype(int) + 1000, "labels": LABELS},
            "values from 10.. to 12..; accepted: 0 to 255",
        ),
        ({"images": IMAGES.astype(int) - 300, "labels": LABELS}, "accepted: 0 to 255"),
        ({"images": IMAGES[0, 0], "labels": LABELS[:5]}, r"the shape \(5,\)"),
        ({"images": np.zeros((10, 28, 28, 4), np.uint8), "labels": LABELS}, "at most 16 channels"),
        ({"images": np.zeros((10, 0, 5), np.uint8), "labels": LABELS}, "pixels a side"),
        ({"images": IMAGES, "labels": LABELS * 0}, "1 classes"),
        ({"images": IMAGES, "labels": np.full(10, 2**63, np.uint64)}, "labels below"),
    ],
)
def test_arrays_that_do_not_fit_are_one_error_that_names_the_file(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    path = save(tmp_path / "data.npz", **arrays)
    with pytest.raises(UserError, match=message) as error:
        Npz(images=path).load(seed=0)
    assert str(path) in str(error.value)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    path = save(tmp_path / "data.npz", images=np.array([{"a": 1}], dtype=object), labels=LABELS)
    with pytest.raises(UserError, match="of type object"):
        Npz(images=path).load(seed=0)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"not a zip file", pickle.dumps([1])])
def test_what_is_no_zip_file_is_one_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=str(path)):
        Npz(images=path).load(seed=0)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.npz: found no such file"):
        Npz(images=tmp_path / "nowhere.npz").load(seed=0)


def header_that_claims(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return header.getvalue()


def test_a_header_that_claims_too_much_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", header_that_claims((10**6, 4096)))
        archive.writestr("labels.npy", header_that_claims((10**6,)))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"'images' claims uint8\(1000000, 4096\) but holds 0 bytes"):
            Npz(images=path).load(seed=0)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


def test_another_compression_whose_size_cannot_be_known_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("images.npy", bytes(100))
    with pytest.raises(UserError, match=r"'images' is compressed by method 12; accepted: stored or deflated"):
        Npz(images=path).load(seed=0)


def test_an_entry_that_claims_more_than_the_file_has_costs_no_memory(tmp_path: Path) -> None:
    path = save(tmp_path / "data.npz", images=IMAGES, labels=LABELS)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\1\2")  # the first entry in the directory
    content[at + 20 : at + 28] = (2**30).to_bytes(4, "little") * 2  # packed and unpacked
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"'images' claims 1073741824 bytes"):
            Npz(images=path).load(seed=0)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


def test_what_numpy_would_not_take_for_an_npz_file_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "data.npz", images=IMAGES, labels=LABELS)
    path.write_bytes(b"before" + path.read_bytes())
    with pytest.raises(UserError, match=r"data\.npz: not an \.npz file: something stands before"):
        Npz(images=path).load(seed=0)


def test_a_header_that_is_none_is_said_without_what_python_makes_of_it(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    header = header_that_claims((1,)).replace(b"False", b"x    ").replace(b"|u1", b"\\d1")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", header)
    with pytest.raises(UserError, match=r"array 'images' has no header that NumPy can read; accepted: what np"):
        Npz(images=path).load(seed=0)


WHOLE = io.BytesIO()
np.savez(WHOLE, images=IMAGES, labels=LABELS)
PACKED = io.BytesIO()
np.savez_compressed(PACKED, images=IMAGES, labels=LABELS)


@settings(max_examples=250, deadline=None)
@given(data=st.data(), packed=st.booleans())
def test_a_mutated_file_is_read_or_refused_and_nothing_else(data: st.DataObject, packed: bool) -> None:
    content = bytearray((PACKED if packed else WHOLE).getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position : position + data.draw(st.integers(0, 4))] = data.draw(st.binary(min_size=1, max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.npz")
        path.write_bytes(content)
        try:
            size = Npz(images=path).load(seed=0).train_images.size
        except UserError as error:
            refusal = str(error)
        else:
            refusal = str(path)
            assert size > 0
        assert str(path) in refusal or "data.test" in refusal


def test_an_entry_that_unpacks_to_more_than_it_says_costs_no_memory(tmp_path: Path) -> None:
    path, file = tmp_path / "x.npz", io.BytesIO()
    np.lib.format.write_array(file, np.zeros(100_000, np.uint8))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", file.getvalue() + bytes(100_000_000))
    raw = bytearray(path.read_bytes())
    for entry, offset in ((raw.find(b"PK\x03\x04"), 22), (raw.find(b"PK\x01\x02"), 24)):
        raw[entry + offset : entry + offset + 4] = len(file.getvalue()).to_bytes(4, "little")
    path.write_bytes(raw)
    del raw
    tracemalloc.start()
    with pytest.raises(UserError, match=r"x\.npz"):
        Npz(images=path).load(seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_directory_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, images=np.zeros((2, 2, 2), np.uint8), labels=np.arange(2))
    raw = bytearray(path.read_bytes())
    end = raw.rfind(b"PK\x05\x06")
    raw[end + 12 : end + 16] = (5 << 20).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(UserError, match="a directory of over"):
        Npz(images=path).load(seed=0)
    raw[end + 12 : end + 16] = (100).to_bytes(4, "little")
    path.write_bytes(raw[:end] + b"PK\x06\x07" + bytes(16) + raw[end:])
    with pytest.raises(UserError, match="a directory of over"):
        Npz(images=path).load(seed=0)
