"""What all data sources share."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from lenet.common.random import stream
from lenet.common.validation import Fraction, validated
from lenet.data.dataset import MAX_SIDE, Dataset, Images, Labels, split_classes
from lenet.data.scaling import ScalingKind

Validation = Literal["report"] | Fraction
"""A share of the training images, or `report`: none held out."""


def _not_empty(value: object) -> object:
    """Refuse an empty text, which `Path` would take for the working directory."""
    if value == "":
        raise ValueError("an empty path")
    return value


def _at_home(path: Path) -> Path:
    return Path(os.path.expanduser(path))  # which leaves an unknown ~user as it is; Path.expanduser raises


PathKey = Annotated[Path, BeforeValidator(_not_empty), AfterValidator(_at_home)]
"""A path as a user writes it: `~` is the home folder.

Whether anything is there is asked of `os.path`, which says no where `Path` raises (no permission, too long).
"""

Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
"""Height or width in pixels."""


class DataSource(ABC):
    """Where a run's images come from, and how they are held out and scaled.

    `load` returns the whole training set: holding out `validation` and scaling is for the one who trains.
    """

    splits_by_seed: ClassVar[bool] = True
    """Whether another seed gives other data."""

    @validated
    def __init__(self, validation: Validation = 0.1, scaling: ScalingKind = "standard") -> None:
        self.validation: Validation = validation
        self.scaling: ScalingKind = scaling

    @abstractmethod
    def load(self, seed: int) -> Dataset:
        """Return the data; `seed` is the run's, for sources that split off their test set.

        Raises `UserError` when the data cannot be had or is broken.
        """


def split_test(images: Images, labels: Labels, share: float, seed: int) -> tuple[Images, Labels, Images, Labels]:
    """Split off a class-balanced share for testing: training images and labels, then those of the test.

    Both parts are in an order drawn from the seed. Data without a test set tend to come sorted by class,
    which no sampler that takes consecutive blocks could learn from.
    """
    generator = stream(seed, "test_split")
    order = generator.permutation(len(labels))
    kept, held_out = split_classes(labels[order], share, generator, key="data.test")
    train, test = order[kept], order[held_out]
    return images[train], labels[train], images[test], labels[test]
