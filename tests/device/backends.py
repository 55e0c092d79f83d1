"""The backends that are compared."""

from typing import Any

import numpy as np

from lenet.arrays.backend import GPU_SUB_BATCH, Backend
from tests.device.standin import StandIn


def on_standin(dtype: str = "float32", xp: Any = None) -> Backend:
    """Return the backend that a GPU would make, on the stand-in."""
    return Backend("cupy", xp or StandIn(), np.dtype(dtype), 1, GPU_SUB_BATCH, gpu="stand-in")


def formulated_alike(dtype: str = "float32") -> Backend:
    """Return NumPy with the formulations that a GPU gets: the stand-in must agree with it bit by bit."""
    return Backend("numpy", np, np.dtype(dtype), 1, GPU_SUB_BATCH)
