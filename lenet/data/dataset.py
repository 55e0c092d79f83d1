"""A data set in memory, checked whole on construction, and the class-balanced split."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lenet.errors import UserError

Images = npt.NDArray[np.uint8]
"""Raw pixels (N, C, H, W)."""
Labels = npt.NDArray[np.int64]
"""Class indices (N,)."""

MAX_BYTES = 4 * 2**30
"""The most that one array may hold; a file that claims more is refused before it is read."""
MAX_SIDE = 4096
"""The largest height and width of an image, in pixels."""
MAX_CLASSES = 65_536


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images with their labels.

    Images are uint8 (N, C, H, W), labels int64 (N,) that index `classes`; all arrays are read-only, since the
    jobs of a sweep share them. `source` says where the data came from, for messages and for the log.
    Raises `UserError` when the parts do not fit each other.
    """

    name: str
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    classes: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        check(self)
        object.__setattr__(self, "classes", tuple(self.classes))
        for part in ("train_images", "train_labels", "test_images", "test_labels"):
            array = np.ascontiguousarray(getattr(self, part)).view()
            array.flags.writeable = False
            object.__setattr__(self, part, array)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the shapes, types and bytes of all arrays, and the class names."""
        return digest(self.classes, self.train_images, self.train_labels, self.test_images, self.test_labels)


def digest(classes: tuple[str, ...], *arrays: npt.NDArray[np.integer]) -> str:
    """Return SHA-256 (hex) over class names, and the shapes, types and bytes of contiguous arrays."""
    sha = hashlib.sha256(repr(classes).encode())
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(array.data)
    return sha.hexdigest()


def check(data: Dataset) -> None:
    """Raise `UserError`, naming `data.source`, unless its images, labels and class names fit together."""
    for part in ("name", "source"):
        if not isinstance(value := getattr(data, part), str):
            raise UserError(f"Dataset: found `{part}` {value!r:.100}; accepted: a text.")
    check_classes(data.source, data.classes)
    check_part(data.source, data.train_images, data.train_labels, len(data.classes), "training ")
    check_part(data.source, data.test_images, data.test_labels, len(data.classes), "test ")
    if data.train_images.shape[1:] != data.test_images.shape[1:]:
        shapes = f"training images {data.train_images.shape[1:]} and test images {data.test_images.shape[1:]}"
        raise _misfit(data.source, shapes, "one shape (channels, height, width)")
    unseen = np.setdiff1d(data.test_labels, data.train_labels)
    if unseen.size:
        found = f"test images of class {data.classes[unseen[0]]!r}, of which no training image is"
        raise _misfit(data.source, found, "test classes that occur in training")


def check_classes(source: str, classes: tuple[str, ...]) -> None:
    """Raise `UserError`, naming the source, unless a network can be trained to tell these classes apart."""
    if not (isinstance(classes, tuple | list) and all(isinstance(name, str) for name in classes)):
        raise _misfit(source, f"classes {classes!r:.100}", "a tuple of texts, the name of each class")
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise _misfit(source, f"{len(classes)} classes", f"2 to {MAX_CLASSES}")
    if len(set(classes)) != len(classes):
        raise _misfit(source, f"class names {classes}", "names that differ")


def check_part(source: str, images: Images, labels: Labels, classes: int, part: str = "") -> None:
    """Raise `UserError`, naming the source and the part, unless images and labels fit together and `classes` names."""
    for kind, array in (("images", images), ("labels", labels)):
        if not isinstance(array, np.ndarray):
            raise _misfit(source, f"{part}{kind} in a {type(array).__name__}", "a NumPy array")
    if images.ndim != 4 or images.dtype != np.uint8:
        raise _misfit(source, f"{part}images {images.dtype}{images.shape}", "uint8 (N, C, H, W)")
    if labels.ndim != 1 or labels.dtype != np.int64:
        raise _misfit(source, f"{part}labels {labels.dtype}{labels.shape}", "int64 (N,)")
    count, channels, height, width = images.shape
    if count != len(labels):
        raise _misfit(source, f"{count} {part}images with {len(labels)} labels", "one label for each image")
    if count == 0:
        raise _misfit(source, f"no {part}images", "at least one")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and channels >= 1 and images.nbytes <= MAX_BYTES):
        limits = f"1 to {MAX_SIDE} pixels a side and at most {MAX_BYTES} bytes in all"
        raise _misfit(source, f"{part}images of shape {images.shape}", limits)
    if labels.min() < 0 or labels.max() >= classes:
        found = f"{part}labels from {labels.min()} to {labels.max()}"
        raise _misfit(source, found, f"0 to {classes - 1}")


def _misfit(source: str, found: str, accepted: str) -> UserError:
    return UserError(f"{source}: found {found}; accepted: {accepted}.")


def split_classes(
    labels: Labels, share: float, generator: np.random.Generator, key: str = "data.validation"
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Split the indices of `labels` (N,) into those kept and those held out, both ascending.

    `round(share * N)` are held out, from each class in proportion to its size: the whole part of each
    class's quota, and what is left over to the largest remainders (the lower class on a tie). `key` names
    the share in the `UserError` raised when either part would be empty.
    """
    count = len(labels)
    total = round(share * count)
    if not 0 < total < count:
        raise UserError(
            f"{key}: {share} of {count} images is {total}, which leaves one part of the split empty; "
            "accepted: a share that leaves at least one image in both parts."
        )
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    quotas, remainders = np.divmod(total * sizes, count)
    quotas[np.argsort(-remainders, kind="stable")[: total - quotas.sum()]] += 1
    by_class = np.split(np.argsort(inverse, kind="stable"), np.cumsum(sizes)[:-1])
    held_out = np.zeros(count, dtype=bool)
    for quota, members in zip(quotas, by_class, strict=True):
        held_out[generator.permutation(members)[:quota]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def index_classes(*labels: npt.NDArray[np.integer]) -> tuple[tuple[str, ...], list[Labels]]:
    """Number the distinct values of all `labels` in ascending order: 3, 7, 3 becomes 0, 1, 0.

    Returns the class names (the values, as text) and each array of labels as indices into them.
    """
    values = np.unique(np.concatenate([np.unique(part) for part in labels]))
    return tuple(str(value) for value in values.tolist()), [
        np.searchsorted(values, part).astype(np.int64) for part in labels
    ]
