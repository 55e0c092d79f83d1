"""Which of a network's classes stands for which class of other data."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from lenet.common.tables import cut
from lenet.errors import UserError

How = Literal["the same classes", "by name", "by position"]
SHOWN = 200


def match(own: Sequence[str], others: Sequence[str]) -> tuple[npt.NDArray[np.int64], How]:
    """Return for each of the data's classes the index of the network's that stands for it, and how that was found.

    By name where the network knows all of them, else by position, as a digit stands for the article of clothing of its
    number. Raises `UserError` where neither can be meant: the numbers differ, or a name stands at two positions.
    """
    index = {name: number for number, name in enumerate(own)}
    if all(name in index for name in others):
        same: How = "the same classes" if list(own) == list(others) else "by name"
        return np.array([index[name] for name in others], np.int64), same
    moved = [name for number, name in enumerate(others) if index.get(name, number) != number]
    if len(own) == len(others) and not moved:
        return np.arange(len(own), dtype=np.int64), "by position"
    raise UserError(
        f"the network tells {len(own)} classes apart ({_listed(own)}), and the data have {len(others)} "
        f"({_listed(others)}). Accepted: classes that the network knows by name, or as many others, for which its own "
        "stand one by one."
    )


def _listed(names: Sequence[str]) -> str:
    return cut(", ".join(names), SHOWN)
