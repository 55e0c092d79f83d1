"""Image files in folders, one for each class, or named in a table."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from lenet.common.random import stream
from lenet.common.validation import Fraction, validated
from lenet.data.dataset import MAX_BYTES, Dataset, Images, Labels
from lenet.data.image_files import Channels, read_image
from lenet.data.listing import Listed, class_names, holds_folders, list_classes, list_table
from lenet.data.pool import Pool
from lenet.data.scaling import ScalingKind
from lenet.data.sources.base import PathKey, Side, SplittingSource, Validation
from lenet.errors import UserError

Reader = Callable[[Path], Images]
"""What reads an image file as uint8 (C, H, W)."""


class ImageFolder(SplittingSource):
    """PNG, JPEG, BMP, GIF and TIFF files under `root`: class folders, or `train` and `test` with class
    folders.

    Or `labels`, a CSV file with columns `file` and `label`; it and the files it names are relative to
    `root`. Without a test folder, a share `test` is split off by seed. Images become grey levels
    (`channels` 1) or RGB (3) and, with `size` (height, width), are resized; without, all must have one
    size. The classes are the labels, numbers in numeric order, then others by name.
    """

    @validated
    def __init__(
        self,
        root: PathKey,
        labels: PathKey | None = None,
        size: tuple[Side, Side] | None = None,
        channels: Channels = 1,
        validation: Validation = 0.1,
        scaling: ScalingKind = "standard",
        test: Fraction = 0.2,
    ) -> None:
        super().__init__(validation, scaling, test)
        self.root = root
        self.labels = labels
        self.size = size
        self.channels = channels

    def read(self, reader: Reader | None = None) -> Dataset | Pool:
        """List and read the images, each by `reader`, if it is given, instead of by `size` and `channels`."""
        if not os.path.isdir(self.root):
            raise UserError(f"data.root={self.root}: no such folder; accepted: a folder of images.")
        train, test = self._list()
        try:
            classes = class_names(item.label for item in train + test)
        except UserError as fault:
            raise UserError(f"{self.root}: {fault}") from None
        images = self._read([item.path for item in train + test], reader)
        indices = {name: index for index, name in enumerate(classes)}
        labels = np.array([indices[item.label] for item in train + test], dtype=np.int64)
        name, source = self.root.resolve().name, str(self.root)
        if not test:
            return Pool(name, images, labels, classes, source)
        return Dataset(name, *_parts(images, labels, len(train)), classes, source)

    def _list(self) -> tuple[list[Listed], list[Listed]]:
        """List the files for training and those for the test, none where a share is to be split off."""
        if self.labels is not None:
            return list_table(self.root / self.labels, self.root), []
        train, test = self.root / "train", self.root / "test"
        if os.path.isdir(train) and os.path.isdir(test):
            return list_classes(train, self.root), list_classes(test, self.root)
        for lone in filter(os.path.isdir, (train, test)):
            if holds_folders(lone):
                raise UserError(
                    f"data.root={self.root}: found `{lone.name}` without `{'train' if lone == test else 'test'}`; "
                    f"accepted: both, or the folder with the class folders alone, data.root={lone}."
                )
        return list_classes(self.root, self.root), []

    def _read(self, paths: Sequence[Path], reader: Reader | None) -> Images:
        """Read all images (N, C, H, W)."""
        read = reader or partial(read_image, channels=self.channels, size=self.size)
        first = read(paths[0])
        if first.nbytes * len(paths) > MAX_BYTES:
            raise UserError(
                f"{self.root}: found {len(paths)} images of {first.nbytes} bytes; accepted: at most "
                f"{MAX_BYTES} bytes in all (data.size=[height, width] makes them smaller)."
            )
        images = np.empty((len(paths), *first.shape), dtype=np.uint8)
        for index, path in enumerate(paths):
            image = read(path)
            if image.shape != first.shape:
                raise UserError(
                    f"{paths[0]} is of {first.shape[1]} x {first.shape[2]} pixels, {path} of "
                    f"{image.shape[1]} x {image.shape[2]}; accepted: one size, or data.size=[height, width], "
                    "to which all are resized."
                )
            images[index] = image
        return images


def _parts(images: Images, labels: Labels, count: int) -> tuple[Images, Labels, Images, Labels]:
    """Cut after the first `count` images: training images and labels, then those of the test.

    Listed class by class, the training images are put into a mixed order, the same for every seed.
    """
    order = stream(0, "folder_order").permutation(count)
    return images[order], labels[order], images[count:], labels[count:]
