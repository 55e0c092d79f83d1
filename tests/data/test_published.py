"""Published data sets: found by name anywhere under the roots, recognised by digest, else downloaded."""

import gzip
import hashlib
import os
from pathlib import Path

import pytest

from lenet.data import FashionMnist, Kmnist, Mnist
from lenet.data.files import find_parts
from lenet.data.idx import read_idx
from lenet.data.published import FASHION_MNIST, PARTS
from lenet.data.sources import mnist
from lenet.data.sources.mnist import PublishedSource
from lenet.errors import UserError
from tests.data.toy import Serve, WriteSet, published_from, unpack

# Finding


@pytest.mark.parametrize("packed", [True, False])
def test_files_are_found_at_any_depth_under_the_root(
    toy: type[PublishedSource], bare_machine: Path, packed: bool
) -> None:
    folder = bare_machine / "origin" if packed else unpack(bare_machine / "origin", bare_machine / "root" / "a" / "b")
    data = toy(root=bare_machine / ("." if packed else "root")).load(seed=0)
    assert (data.name, data.classes) == ("toy", ("nought", "one"))
    assert data.train_images.shape == (6, 1, 4, 5)
    assert data.test_labels.tolist() == [0, 1, 0, 1]
    assert data.source == str(folder)


def test_linked_folders_are_searched_once_even_in_a_circle(toy: type[PublishedSource], bare_machine: Path) -> None:
    (bare_machine / "root").mkdir()
    (bare_machine / "root" / "linked").symlink_to(bare_machine / "origin")
    (bare_machine / "origin" / "back").symlink_to(bare_machine / "root")
    assert toy(root=bare_machine / "root").load(seed=0).source == str(bare_machine / "root" / "linked")
    assert [len(paths) for paths in find_parts([bare_machine / "root", bare_machine]).values()] == [1] * 4


def test_the_first_of_several_copies_is_taken_by_root_then_by_name(
    toy: type[PublishedSource], bare_machine: Path
) -> None:
    folders = [unpack(bare_machine / "origin", bare_machine / name) for name in ("2/b", "2/a", "2/c", "1/d")]
    found = find_parts([bare_machine / "2", bare_machine / "1"])
    assert [path.parent for path in found[PARTS[0]]] == [folders[1], folders[0], folders[2], folders[3]]


def test_images_of_another_data_set_are_not_read_once_labels_have_told_it_apart(
    toy: type[PublishedSource], bare_machine: Path, write_idx_set: WriteSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx_set(bare_machine / "root" / "a", labels=(1, 0))
    unpack(bare_machine / "origin", bare_machine / "root" / "b")
    read: list[str] = []
    monkeypatch.setattr(mnist, "read_idx", lambda path, kind: read.append(path.parent.name) or read_idx(path, kind))
    toy(root=bare_machine / "root").load(seed=0)
    assert read == ["a", "b", "b", "b", "b"]


def test_a_repacked_file_is_recognised_by_its_content(toy: type[PublishedSource], bare_machine: Path) -> None:
    for file in (bare_machine / "origin").glob("*.gz"):
        file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), compresslevel=1, mtime=1))
    assert len(toy(root=bare_machine).load(seed=0).train_labels) == 6


def test_another_data_set_of_the_same_names_is_passed_over(
    toy: type[PublishedSource], bare_machine: Path, write_idx_set: WriteSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx_set(bare_machine / "data" / "a-lookalike", seed=1)
    unpack(bare_machine / "origin", bare_machine / "data" / "b-real")
    monkeypatch.setenv("LENET_DATA", str(bare_machine / "data"))
    assert toy().load(seed=0).source == str(bare_machine / "data" / "b-real")


@pytest.mark.parametrize("root", ["system/toy", "system/elsewhere", "cache/lenet/toy"])
def test_the_systems_folder_and_the_cache_are_searched(
    toy: type[PublishedSource], bare_machine: Path, root: str
) -> None:
    unpack(bare_machine / "origin", bare_machine / root)
    assert toy().load(seed=0).source == str(bare_machine / root)


def test_with_a_root_nothing_else_is_searched_or_downloaded(
    toy: type[PublishedSource], bare_machine: Path, serve: Serve
) -> None:
    unpack(bare_machine / "origin", bare_machine / "system" / "toy")
    (bare_machine / "empty").mkdir()
    requests: list[str] = []
    with pytest.raises(UserError, match=r"plain or .gz,\n(.*\n)*  train-images-idx3-ubyte\nunder") as error:
        toy(root=bare_machine / "empty", mirrors=[serve(requests=requests)]).load(seed=0)
    assert f"{bare_machine / 'empty'} (data.root)" in str(error.value)
    assert not requests


def test_a_wrong_digest_under_a_root_names_file_expected_and_found(
    toy: type[PublishedSource], bare_machine: Path, write_idx_set: WriteSet
) -> None:
    root = unpack(bare_machine / "origin", bare_machine / "root")
    file = root / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError) as error:
        toy(root=root).load(seed=0)
    found, expected = hashlib.sha256(file.read_bytes()).hexdigest(), toy.published.sha256[3]
    assert f"{file}: not toy's: found SHA-256 (unpacked) {found}; accepted: {expected}." in str(error.value)


def test_a_damaged_file_under_a_root_is_named(toy: type[PublishedSource], bare_machine: Path) -> None:
    file = bare_machine / "origin" / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte.gz: damaged or truncated gzip"):
        toy(root=bare_machine).load(seed=0)


def test_without_known_content_only_the_published_gz_files_are_accepted(
    bare_machine: Path, write_idx_set: WriteSet
) -> None:
    origin = write_idx_set(bare_machine / "origin", labels=(0, 1), suffix=".gz")
    toy = published_from(origin, raw=False)
    assert len(toy(root=origin).load(seed=0).train_labels) == 6
    with pytest.raises(UserError, match=r"not the .gz file that was published"):
        toy(root=unpack(origin, bare_machine / "plain")).load(seed=0)
    both = unpack(origin, bare_machine / "both")
    for file in origin.iterdir():
        file.rename(both / file.name)
    assert len(toy(root=both).load(seed=0).train_labels) == 6


def test_a_root_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root=.*nowhere: no such folder"):
        Mnist(root=tmp_path / "nowhere").load(seed=0)


# The real ones


@pytest.mark.full_mnist
def test_full_mnist_is_found_and_verified() -> None:
    root = os.environ.get("LENET_DATA")
    if not root:
        pytest.skip("$LENET_DATA is not set")
    try:
        data = Mnist(root=root).load(seed=0)
    except UserError as error:
        pytest.skip(f"$LENET_DATA has no MNIST: {error}")
    assert data.train_images.shape == (60_000, 1, 28, 28)
    assert data.test_images.shape == (10_000, 1, 28, 28)
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_fashion_mnist_is_found_where_debian_installs_it() -> None:
    root = Path("/usr/share/datasets")
    if not (root / "fashion-mnist").is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    data = FashionMnist(root=root).load(seed=0)
    assert data.train_images.shape == (60_000, 1, 28, 28)
    assert data.classes[data.train_labels[0]] == "Ankle boot"
    with pytest.raises(UserError, match="which is fashion_mnist's"):
        Mnist(root=root).load(seed=0)


def test_every_published_set_has_ten_classes_and_a_digest_for_each_file() -> None:
    for source in (Mnist, FashionMnist, Kmnist):
        published = source.published
        assert len(set(published.classes)) == 10
        assert [len(md5) for md5 in published.md5] == [32] * 4
        assert published.sha256 is None or [len(sha) for sha in published.sha256] == [64] * 4
    assert FASHION_MNIST.classes[9] == "Ankle boot"
