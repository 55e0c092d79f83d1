"""The published data sets in MNIST's four files: their names, digests, mirrors and classes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lenet.data.idx import GZIP_MAGIC, Kind
from lenet.errors import UserError


class OtherContent(UserError):
    """A file has a data set's name and another content: that of the data set `owner`, if it is known."""

    def __init__(self, message: str, owner: str | None) -> None:
        super().__init__(message)
        self.owner = owner


@dataclass(frozen=True)
class Part:
    """One of the four files: its attribute name in `Dataset`, the name it goes by, and what it holds."""

    role: str
    file_name: str
    kind: Kind


PARTS = (
    # Labels first: they are small, and tell at little cost which data set a folder holds.
    Part("test_labels", "t10k-labels-idx1-ubyte", "labels"),
    Part("train_labels", "train-labels-idx1-ubyte", "labels"),
    Part("test_images", "t10k-images-idx3-ubyte", "images"),
    Part("train_images", "train-images-idx3-ubyte", "images"),
)


@dataclass(frozen=True)
class Published:
    """A data set that exists once: digests, in the order of `PARTS`, say whether a file belongs to it.

    `sha256` is of the unpacked IDX content, `md5` of the .gz file as published. Where only the latter is
    known, the published .gz file is the only one that can be recognised.
    """

    name: str
    classes: tuple[str, ...]
    mirrors: tuple[str, ...]
    md5: tuple[str, ...]
    sha256: tuple[str, ...] | None

    def verify(self, part: Part, path: Path, content: bytearray) -> None:
        """Raise `OtherContent`, with the digest expected and found, unless `path` is this data set's `part`.

        `content` is what the file holds, unpacked.
        """
        position = PARTS.index(part)
        if self.sha256 is not None:
            found, expected, what = (
                hashlib.sha256(content).hexdigest(),
                self.sha256[position],
                "SHA-256 (unpacked)",
            )
        else:
            packed = path.read_bytes()
            if not packed.startswith(GZIP_MAGIC):
                raise OtherContent(
                    f"{path}: not the .gz file that was published, the only one whose digest is known for "
                    f"{self.name} (MD5 {self.md5[position]}).",
                    _owner(part, hashlib.sha256(content).hexdigest()),
                )
            found, expected, what = (
                hashlib.md5(packed, usedforsecurity=False).hexdigest(),
                self.md5[position],
                "MD5",
            )
        if found != expected:
            owner = _owner(part, hashlib.sha256(content).hexdigest())
            hint = f", which is {owner}'s" if owner else ""
            raise OtherContent(f"{path}: not {self.name}'s: found {what} {found}{hint}; accepted: {expected}.", owner)


DIGITS = tuple("0123456789")

MNIST = Published(
    "mnist",
    DIGITS,
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    md5=(
        "ec29112dd5afa0611ce80d1b7f02629c",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    ),
    sha256=(
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
)

# The SHA-256 are of Debian's dataset-fashion-mnist. Its .gz files have the published MD5 once the file names
# and times that Debian strips from their gzip headers are put back, so their content is the published one.
FASHION_MNIST = Published(
    "fashion_mnist",
    (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    md5=(
        "bb300cfdad3c16e7a12a480ee83cd310",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    ),
    sha256=(
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
)

KMNIST = Published(
    "kmnist",
    ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    mirrors=(
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    ),
    md5=(
        "7320c461ea6c1c855c0b718fb2a4b134",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "bdb82020997e1d708af4cf47b453dcf7",
    ),
    sha256=None,  # only the .gz files' digests are published
)


def _owner(part: Part, sha256: str) -> str | None:
    """Name the data set whose `part` has this digest: MNIST's file names are shared by its successors."""
    for known in (MNIST, FASHION_MNIST):
        if known.sha256 is not None and known.sha256[PARTS.index(part)] == sha256:
            return known.name
    return None
