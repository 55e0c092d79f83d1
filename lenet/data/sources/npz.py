"""Images and labels in .npz files."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lenet.common.validation import Fraction, validated
from lenet.data.dataset import Dataset, Images, Labels, index_classes
from lenet.data.npz import read_npz
from lenet.data.pool import Pool
from lenet.data.scaling import ScalingKind
from lenet.data.sources.base import PathKey, SplittingSource, Validation
from lenet.errors import UserError

MAX_CHANNELS = 16
"""More channels than this are taken for a height: (N, 28, 28, 4) is not 28 channels."""


class Npz(SplittingSource):
    """Arrays `images` and `labels`, and for the test `test_images` and `test_labels` in the same file.

    Or a second file, `test_images`, holds `images` and `labels` for the test; with neither, a share `test`
    is split off by seed. Images are (N, H, W), (N, H, W, C) with 1 or 3 channels, or (N, C, H, W), of
    integers from 0 to 255; labels are (N,) integers, and the classes are those that occur, in numeric
    order.
    """

    @validated
    def __init__(
        self,
        images: PathKey,
        test_images: PathKey | None = None,
        validation: Validation = 0.1,
        scaling: ScalingKind = "standard",
        test: Fraction = 0.2,
    ) -> None:
        super().__init__(validation, scaling, test)
        self.images = images
        self.test_images = test_images

    def read(self) -> Dataset | Pool:
        """Read the arrays."""
        arrays = read_npz(self.images, ("images", "labels", "test_images", "test_labels"))
        images, labels = _pair(arrays, "", self.images)
        source = str(self.images)
        if self.test_images is not None:
            held_out = _pair(read_npz(self.test_images, ("images", "labels")), "", self.test_images)
            source += f", {self.test_images}"
        elif arrays.keys() & {"test_images", "test_labels"}:
            held_out = _pair(arrays, "test_", self.images)
        else:
            classes, (labels,) = index_classes(labels)
            return Pool(self.images.stem, images, labels, classes, source)
        classes, (labels, test_labels) = index_classes(labels, held_out[1])
        return Dataset(self.images.stem, images, labels, held_out[0], test_labels, classes, source)


def _pair(arrays: dict[str, npt.NDArray[np.integer]], prefix: str, path: Path) -> tuple[Images, Labels]:
    """Return the images as (N, C, H, W) bytes and the labels as they are, one for each image."""
    for name in (f"{prefix}images", f"{prefix}labels"):
        if name not in arrays:
            raise UserError(f"{path}: found no array {name!r}; accepted: `images` and `labels`, both.")
    images, labels = arrays[f"{prefix}images"], arrays[f"{prefix}labels"]
    if labels.shape != images.shape[:1] or not labels.size:
        raise UserError(
            f"{path}: found {prefix}images of shape {images.shape} and {prefix}labels of shape "
            f"{labels.shape}; accepted: one label for each image, (N,), and at least one."
        )
    if labels.max() > np.iinfo(np.int64).max:
        raise UserError(f"{path}: {prefix}labels: found {labels.max()}; accepted: labels below 2**63.")
    return _pixels(images, f"{path}: {prefix}images"), labels.astype(np.int64)


def _pixels(images: npt.NDArray[np.integer], where: str) -> Images:
    if images.dtype != np.uint8 and images.size and not 0 <= images.min() <= images.max() <= 255:
        raise UserError(f"{where}: found values from {images.min()} to {images.max()}; accepted: 0 to 255.")
    pixels = images.astype(np.uint8, copy=False)
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.ndim == 4 and pixels.shape[3] in (1, 3):
        return pixels.transpose(0, 3, 1, 2)
    if pixels.ndim == 4 and pixels.shape[1] <= MAX_CHANNELS:
        return pixels
    raise UserError(
        f"{where}: found the shape {images.shape}; accepted: (N, H, W), (N, H, W, 1 or 3) or (N, C, H, W) "
        f"with at most {MAX_CHANNELS} channels."
    )
