"""Holding a checkpoint to what it is to be used for."""

from collections.abc import Mapping

import numpy as np

from lenet.checkpoint.form import Checkpoint, Shaped
from lenet.errors import UserError, did_you_mean

MAX_REPORTED = 5


def check(checkpoint: Checkpoint, expected: Mapping[str, Shaped]) -> None:
    """Hold a checkpoint to exactly the arrays `expected`, by name, shape, dtype, and to finite numbers.

    Raises one UserError that names the file and each array that differs, with what was found and what was
    expected. Call it before anything is changed.
    """
    found = checkpoint.arrays
    wrong = [
        f"`{name}` is missing (expected {_describe(expected[name])})" for name in expected if name not in found
    ] + [
        f"`{name}` ({_describe(found[name])}) belongs to nothing here{did_you_mean(name, expected)}"
        for name in found
        if name not in expected
    ]
    for name, array in found.items():
        if name not in expected:
            continue
        if (array.shape, array.dtype) != (expected[name].shape, expected[name].dtype):
            wrong.append(f"`{name}` is {_describe(array)}, expected {_describe(expected[name])}")
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = array.size - int(np.isfinite(array).sum())
            wrong.append(f"`{name}` has {bad} of {array.size} numbers that are not finite")
    if wrong:
        more = [f"and {len(wrong) - MAX_REPORTED} more"] if len(wrong) > MAX_REPORTED else []
        raise UserError(f"checkpoint {checkpoint.path}: " + "; ".join(wrong[:MAX_REPORTED] + more))


def _describe(array: Shaped) -> str:
    return f"{array.dtype}{list(array.shape)}"
