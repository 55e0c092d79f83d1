"""Which images an epoch's steps see: pure functions of the data's size and the epoch's random stream."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Sampler(Protocol):
    """The order of an epoch: step `i` sees `order[i * batch : (i + 1) * batch]`."""

    @property
    def batch(self) -> int:
        """Samples in a step (the last step of an epoch may have fewer)."""

    def steps(self, size: int) -> int:
        """Return the number of steps of one epoch over `size` images."""

    def order(self, size: int, generator: np.random.Generator) -> npt.NDArray[np.intp]:
        """Return the indices of one epoch over `size` images."""


@dataclass(frozen=True)
class Shuffle:
    """Every image once an epoch, in random order."""

    batch: int

    def steps(self, size: int) -> int:
        return math.ceil(size / self.batch)

    def order(self, size: int, generator: np.random.Generator) -> npt.NDArray[np.intp]:
        return generator.permutation(size)


@dataclass(frozen=True)
class OnePerBlock:
    """One random image from each consecutive block of `block` images, one image a step; the last block may be short."""

    block: int
    batch: int = 1

    def steps(self, size: int) -> int:
        return math.ceil(size / self.block)

    def order(self, size: int, generator: np.random.Generator) -> npt.NDArray[np.intp]:
        starts = np.arange(0, size, self.block)
        return starts + generator.integers(np.minimum(self.block, size - starts))
