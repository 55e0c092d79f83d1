"""A checkpoint comes back bit for bit, and nothing else comes back at all."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenet import checkpoint
from tests.checkpoint.files import ARRAYS, BYTES, META


def test_arrays_come_back_bit_for_bit(path: Path) -> None:
    loaded = checkpoint.load(path)
    assert list(loaded.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded.arrays[name].dtype == array.dtype
        assert loaded.arrays[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "|b1", "<i8", "|u1", "<U3"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_every_plain_dtype_and_shape_comes_back(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    array = np.ones(shape, dtype)
    checkpoint.save(tmp_path / "x.npz", {"x": array}, {})
    found = checkpoint.load(tmp_path / "x.npz").arrays["x"]
    assert (found.shape, found.dtype, found.tobytes()) == (array.shape, array.dtype, array.tobytes())


def test_an_array_in_column_order_keeps_its_values(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    checkpoint.save(tmp_path / "x.npz", {"x": array}, {})
    assert np.array_equal(checkpoint.load(tmp_path / "x.npz").arrays["x"], array)


def test_meta_comes_back_with_its_format(path: Path) -> None:
    assert checkpoint.load(path).meta == {"format": checkpoint.FORMAT, **META}


def test_a_history_with_nan_comes_back(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x.npz", {}, {"history": [np.float32("nan"), float("-inf")]})
    nan, infinity = checkpoint.load(tmp_path / "x.npz").meta["history"]
    assert np.isnan(nan)
    assert infinity == float("-inf")


def test_numpy_alone_opens_it(path: Path) -> None:
    with np.load(path, allow_pickle=False) as file:
        assert np.array_equal(file["param/conv1/weight"], ARRAYS["param/conv1/weight"])
        assert json.loads(str(file["meta"]))["step"] == 640


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_that_numpy_saved_is_read(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "x.npz", meta=np.array('{"format": 1}'), **ARRAYS)
    checkpoint.check(checkpoint.load(tmp_path / "x.npz"), ARRAYS)


def test_equal_content_gives_equal_bytes() -> None:
    assert checkpoint.dumps({name: array.copy() for name, array in ARRAYS.items()}, META) == BYTES


def test_nothing_is_left_beside_a_checkpoint(path: Path) -> None:
    checkpoint.save(path, ARRAYS, META)
    assert os.listdir(path.parent) == ["last.npz"]


def test_a_failed_save_leaves_the_old_file_and_nothing_beside_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(path, {}, {})
    assert path.read_bytes() == BYTES
    assert os.listdir(path.parent) == ["last.npz"]


def test_objects_are_not_saved() -> None:
    with pytest.raises(ValueError, match="`x` has dtype object"):
        checkpoint.dumps({"x": np.array([{}], dtype=object)}, {})


def test_the_name_meta_is_taken() -> None:
    with pytest.raises(ValueError, match="`meta` is taken"):
        checkpoint.dumps({"meta": np.zeros(1)}, {})
