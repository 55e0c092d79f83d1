"""What all data sources share."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from lenet.common.validation import Fraction, validated
from lenet.data.dataset import MAX_SIDE, Dataset
from lenet.data.pool import Pool
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

    def load_at_hand(self, seed: int) -> Dataset:
        """Return the data as `load` does, but download nothing: raise `UserError` where that would be needed."""
        return self.load(seed)


class SplittingSource(DataSource):
    """A source whose data may come without a test set of their own: a share `test` is split off by seed then."""

    def __init__(self, validation: Validation, scaling: ScalingKind, test: float) -> None:
        super().__init__(validation, scaling)
        self.test = test

    @abstractmethod
    def read(self) -> Dataset | Pool:
        """Return the data, whole where they have no test set. Raises `UserError` as `load` does."""

    def load(self, seed: int) -> Dataset:
        """Return the data, split by `seed` where they have no test set."""
        found = self.read()
        return found.split(self.test, seed) if isinstance(found, Pool) else found
