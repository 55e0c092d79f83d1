"""How raw pixels become network input: x = (pixel - shift) / scale."""

import math
from typing import Literal

import numpy as np

from lenet.data.dataset import Images
from lenet.errors import UserError

ScalingKind = Literal["standard", "unit", "report", "lecun"]

CHUNK = 2**18
"""Pixels counted at a time: `bincount` widens its input to int64, too much for all of them at once."""


def scaling(kind: ScalingKind, train_images: Images) -> tuple[float, float]:
    """Return (shift, scale) for `kind`, from the training images (N, C, H, W) alone.

    `standard`: mean and standard deviation over all pixels of all training images, so that inputs have mean 0
    and variance 1 (LeCun et al. 1998, "Efficient BackProp", section 4.3); `unit`: pixels / 255; `report`:
    pixels / 256; `lecun`: 0 becomes -0.1 and 255 becomes 1.175 (LeCun et al. 1998, section II.B). Raises `UserError`
    when every training pixel is the same, which `standard` cannot scale.
    """
    if kind == "unit":
        return 0.0, 255.0
    if kind == "report":
        return 0.0, 256.0
    if kind == "lecun":
        return 20.0, 200.0
    counts = _histogram(train_images)
    pixels = np.arange(256)
    mean = float(counts @ pixels) / train_images.size
    variance = float(counts @ (pixels - mean) ** 2) / train_images.size
    if np.count_nonzero(counts) < 2:
        raise UserError(
            f"data.scaling=standard: every pixel of the training images is {round(mean)}, so they have "
            "no spread to divide by; accepted: images that differ, or data.scaling=unit."
        )
    return mean, math.sqrt(variance)


def _histogram(images: Images) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Count the pixels of each value, exactly: int64 (256,)."""
    flat = images.reshape(-1)
    counts = np.zeros(256, dtype=np.int64)
    for start in range(0, flat.size, CHUNK):
        counts += np.bincount(flat[start : start + CHUNK], minlength=256)
    return counts
