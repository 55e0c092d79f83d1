"""Image files in folders or in a table: what is read, in which order, and one clear error for the rest."""

import shutil
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lenet.data import ImageFolder, Pool
from lenet.data.listing import class_names, list_classes
from lenet.errors import UserError
from tests.data.drawn import draw


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder of three classes with five images each, told apart by grey levels."""
    for label, name in enumerate(("2", "10", "x")):
        for index in range(5):
            draw(tmp_path / "images" / name / f"{index}.png", 50 * label + index)
    return tmp_path / "images"


def test_class_folders_become_classes_in_numeric_then_alphabetic_order(root: Path) -> None:
    data = ImageFolder(root=root).load(seed=0)
    assert data.classes == ("2", "10", "x")
    assert data.train_images.shape == (12, 1, 5, 6)
    assert np.array_equal(data.train_images[:, 0, 0, 0] // 50, data.train_labels)
    assert np.bincount(data.test_labels).tolist() == [1, 1, 1]


def test_train_and_test_folders_are_what_they_say(root: Path, tmp_path: Path) -> None:
    for part, count in (("train", 4), ("test", 2)):
        for name in ("cat", "dog"):
            for index in range(count):
                draw(tmp_path / "split" / part / name / f"{index}.png")
    data = ImageFolder(root=tmp_path / "split").load(seed=0)
    assert np.bincount(data.train_labels).tolist() == [4, 4]
    assert np.bincount(data.test_labels).tolist() == [2, 2]
    assert data.classes == ("cat", "dog")


def test_a_train_folder_that_leaves_the_root_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "split" / "test").mkdir(parents=True)
    (tmp_path / "split" / "train").symlink_to(root)
    with pytest.raises(UserError, match=r"split/train leaves the root"):
        ImageFolder(root=tmp_path / "split").load(seed=0)


def test_training_images_listed_by_class_are_mixed_the_same_for_every_seed(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "test/a", "test/b"):
        for index in range(8):
            draw(tmp_path / name / f"{index}.png", index)
    first, other = (ImageFolder(root=tmp_path).load(seed) for seed in (0, 1))
    assert len(np.unique(first.train_labels[:8])) == 2
    assert first.digest == other.digest


def test_a_table_names_files_and_labels(root: Path) -> None:
    rows = [f"{name}/{index}.png,{name}-like" for name in ("x", "2") for index in range(5)]
    (root / "labels.csv").write_text(
        "\ufefflabel,file\n" + "".join(f"{r.split(',')[1]},{r.split(',')[0]}\n" for r in rows)
    )
    data = ImageFolder(root=root, labels="labels.csv").load(seed=0)
    assert data.classes == ("2-like", "x-like")
    assert np.array_equal(data.train_images[:, 0, 0, 0] // 50, 2 * data.train_labels)


def test_the_order_and_the_split_follow_from_the_seed(root: Path) -> None:
    first, again, other = (ImageFolder(root=root).load(seed) for seed in (0, 0, 1))
    assert first.digest == again.digest
    assert first.digest != other.digest


@pytest.mark.parametrize(("lone", "other"), [("test", "train"), ("train", "test")])
def test_of_a_lone_test_or_training_folder_the_message_says_how_to_take_it_alone(
    tmp_path: Path, root: Path, lone: str, other: str
) -> None:
    shutil.copytree(root, tmp_path / "lone" / lone)
    with pytest.raises(UserError, match=rf"found `{lone}` without `{other}`; .*data\.root=.*lone/{lone}\."):
        ImageFolder(root=tmp_path / "lone").load(seed=0)
    pool = ImageFolder(root=tmp_path / "lone" / lone).read()
    assert isinstance(pool, Pool)
    assert len(pool.labels) == 15


def test_a_class_may_be_called_test(root: Path) -> None:
    (root / "x").rename(root / "test")
    assert ImageFolder(root=root).load(seed=0).classes == ("2", "10", "test")


def test_files_are_listed_by_class_then_by_name(root: Path) -> None:
    names = [f"{item.label}/{item.path.name}" for item in list_classes(root, root)]
    assert names == [f"{label}/{index}.png" for label in ("2", "10", "x") for index in range(5)]


def test_hidden_files_are_ignored(root: Path) -> None:
    (root / ".cache").mkdir()
    (root / "x" / ".DS_Store").write_bytes(b"rubbish")
    assert ImageFolder(root=root).load(seed=0).classes == ("2", "10", "x")


def test_size_resizes_to_height_and_width(root: Path) -> None:
    draw(root / "x" / "large.png", size=(40, 50))
    data = ImageFolder(root=root, size=[8, 7], channels=3).load(seed=0)
    assert data.train_images.shape[1:] == (3, 8, 7)


def test_without_size_two_sizes_name_two_files_and_the_key(root: Path) -> None:
    draw(root / "x" / "large.png", size=(40, 50))
    with pytest.raises(UserError, match=r"2/0\.png is of 5 x 6 pixels, .*x/large\.png of 40 x 50; .*data\.size="):
        ImageFolder(root=root).load(seed=0)


def test_a_png_is_held_to_its_checksums_although_pillow_would_read_it(root: Path) -> None:
    path = draw(root / "3" / "changed.png")
    content = bytearray(path.read_bytes())
    content[content.index(b"IEND") - 5] ^= 1  # the last byte of the pixels' checksum
    path.write_bytes(content)
    with Image.open(path) as image:
        image.load()
    with pytest.raises(UserError, match=r"changed\.png: damaged image .*IDAT"):
        ImageFolder(root).load(seed=0)


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


def oversized(path: Path) -> None:
    """Write a valid PNG header that claims 4 gigapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2**16, 2**16, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (text("not an image"), "cannot be read as an image"),
        (text(""), "cannot be read as an image"),
        (lambda path: path.write_bytes(path.read_bytes()[:45]), "image"),
        (lambda path: Image.new("L", (5000, 1)).save(path), "1 x 5000 pixels; accepted: 1 to 4096 a side"),
        (oversized, "image"),
        (lambda path: Image.new("F", (6, 5), float("nan")).save(path, format="TIFF"), "not finite"),
        (lambda path: Image.new("L", (6, 5)).save(path, format="PPM"), "cannot be read as an image"),
    ],
)
def test_a_file_that_is_no_good_image_is_one_error_that_names_it(
    root: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(root / "10" / "3.png")
    with pytest.raises(UserError, match=message) as error:
        ImageFolder(root=root).load(seed=0)
    assert str(error.value).startswith(f"{root / '10' / '3.png'}: ")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "README").write_text("hello"), "README: found a file where a class folder was"),
        (lambda root: (root / "empty").mkdir(), "empty: found no images in this class folder"),
        (
            lambda root: (root / "x" / "deeper").mkdir(),
            "x/deeper: found a folder where an image was expected",
        ),
        (lambda root: (root / "x" / "away.png").symlink_to("/etc/hostname"), "away.png leaves the root"),
        (lambda root: (root / "y").symlink_to("/usr"), "y leaves the root"),
        (
            lambda root: (root / "x" / "dangling.png").symlink_to(root / "nothing"),
            "dangling.png: found no such file",
        ),
    ],
)
def test_a_folder_of_another_layout_is_one_error_that_names_the_place(
    root: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(root)
    with pytest.raises(UserError, match=message):
        ImageFolder(root=root).load(seed=0)


def test_links_within_the_root_are_followed(root: Path) -> None:
    (root / "2" / "again.png").symlink_to(root / "2" / "0.png")
    assert len(ImageFolder(root=root).load(seed=0).train_labels) == 13


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"", "the columns .*; accepted: `file` and `label`"),
        (b"file,class\n2/0.png,2\n", "the columns"),
        (b"file,label\n", "no rows"),
        (b"file,label\n2/0.png\n", "line 2: found file '2/0.png' with label None"),
        (b"file,label\n2/0.png,\n", "label ''"),
        (b"file,label\n2/0.png,a\n2/0.png,b\n", "line 3: found .* a second time"),
        (b"file,label\n2/99.png,a\n", "line 2: found no such file"),
        (b"file,label\n../secret.png,a\n", "line 2: .* leaves the root"),
        (b"file,label\n/etc/hostname,a\n", "line 2: .* leaves the root"),
        (b"file,label\n2/\x00.png,a\n", "labels.csv"),
        (b"file,label\n\xff\xfe,a\n", "cannot be read as a table"),
        (b'file,label\n"2/0.png,a\n', "cannot be read as a table"),
        (b"file,label\n2/0.png,a\n", "found 1 classes"),
    ],
)
def test_a_bad_table_is_one_error_with_the_line(root: Path, table: bytes, message: str) -> None:
    draw(root.parent / "secret.png")
    (root / "labels.csv").write_bytes(table)
    with pytest.raises(UserError, match=message):
        ImageFolder(root=root, labels="labels.csv").load(seed=0)


def test_a_missing_root_and_a_missing_table_are_named(root: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root=.*nowhere: no such folder"):
        ImageFolder(root=root / "nowhere").load(seed=0)
    with pytest.raises(UserError, match=r"data\.labels=.*labels.csv: no such file"):
        ImageFolder(root=root, labels="labels.csv").load(seed=0)


def test_numbers_sort_by_value_and_before_other_names() -> None:
    assert class_names(["b", "10", "9", "-1", "a", "9"]) == ("-1", "9", "10", "a", "b")


@pytest.mark.parametrize(
    "name", ["../outside.csv", "{outside}", "link.csv", "2/../../outside.csv", "linked/outside.csv"]
)
def test_a_table_outside_the_root_is_refused_and_nothing_of_it_told(root: Path, name: str) -> None:
    outside = root.parent / "outside.csv"
    outside.write_text("secret:x:0:0\n")
    (root / "link.csv").symlink_to(outside)
    (root / "linked").symlink_to(root.parent)
    with pytest.raises(UserError, match=r"data\.labels: .* leaves the root; accepted: files under") as error:
        ImageFolder(root=root, labels=name.format(outside=outside)).load(seed=0)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("name", ["../away.png", "{away}", "2/../../away.png", "link.png", "linked/away.png", "a\0b"])
def test_a_file_of_a_table_outside_the_root_is_refused(root: Path, name: str) -> None:
    away = root.parent / "away.png"
    draw(away, 1)
    (root / "link.png").symlink_to(away)
    (root / "linked").symlink_to(root.parent)
    (root / "labels.csv").write_text(f"file,label\n2/0.png,2\n{name.format(away=away)},3\n")
    with pytest.raises(UserError, match=r"leaves the root; accepted|cannot be read as a table"):
        ImageFolder(root=root, labels="labels.csv").load(seed=0)


def test_what_a_table_repeats_of_itself_is_cut(root: Path) -> None:
    (root / "labels.csv").write_text(",".join(f"column{number}" for number in range(100_000)) + "\n")
    with pytest.raises(UserError, match="the columns") as error:
        ImageFolder(root=root, labels="labels.csv").load(seed=0)
    assert len(str(error.value)) < 500


@pytest.mark.slow
def test_a_picture_of_giant_sides_is_refused_before_it_is_unpacked(root: Path) -> None:
    image = Image.new("L", (30_000, 30_000))
    image.save(root / "2" / "giant.png")  # 900 million pixels in under a megabyte
    del image
    tracemalloc.start()
    with pytest.raises(UserError, match=r"giant\.png"):
        ImageFolder(root=root).load(seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000
