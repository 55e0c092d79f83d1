"""What a checkpoint is, and how large one may be."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
KINDS = "biufU"
"""The kinds of NumPy's dtypes that a checkpoint holds: truth values, numbers, text."""
MAX_BYTES = 1 << 30
"""A file that declares arrays of more than this in all is refused before any of them is read."""
MAX_ARRAYS = 10_000
MAX_HEADER = 10_000
MAX_NAME = 500


class Shaped(Protocol):
    """What has a shape and a dtype: an array of NumPy's or CuPy's."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The length along each axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of one number."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds: `arrays` by name (`param/conv1/weight`) and `meta`, with its `format`."""

    path: Path
    arrays: Mapping[str, NDArray[Any]]
    meta: Mapping[str, Any]


def is_name(name: str) -> bool:
    """Say whether an array may be called so."""
    return 0 < len(name) <= MAX_NAME and name.isprintable()
