"""Labelled images that come without a test set, and the share of them that is split off as one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lenet.common.random import stream
from lenet.data.dataset import Dataset, Images, Labels, check_classes, check_part, digest, split_classes


@dataclass(frozen=True, eq=False)
class Pool:
    """All images of a source that has no test set of its own.

    Images are uint8 (N, C, H, W), labels int64 (N,) that index `classes`. Raises `UserError` when they do not fit.
    """

    name: str
    images: Images
    labels: Labels
    classes: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        check_part(self.source, self.images, self.labels, len(self.classes))

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the images, the labels and the class names."""
        return digest(self.classes, np.ascontiguousarray(self.images), np.ascontiguousarray(self.labels))

    def split(self, share: float, seed: int) -> Dataset:
        """Split off a class-balanced share for testing.

        Both parts are in an order drawn from the seed. Data without a test set tend to come sorted by class,
        which no sampler that takes consecutive blocks could learn from. Raises `UserError` for a single class, and
        where a part would have no image, or some class none to train on.
        """
        check_classes(self.source, self.classes)
        generator = stream(seed, "test_split")
        order = generator.permutation(len(self.labels))
        kept, held_out = split_classes(self.labels[order], share, generator, key="data.test")
        train, test = order[kept], order[held_out]
        parts = self.images[train], self.labels[train], self.images[test], self.labels[test]
        return Dataset(self.name, *parts, self.classes, self.source)
