"""What every contender is given: images, initial weights and the recipe of a step. Knows NumPy only."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
"""Arrays by the name and in the logical shape of a parameter: kernels `(O, C, KH, KW)`, full connection `(in, out)`."""


@dataclass(frozen=True)
class Problem:
    """LeNet-5 (ReLU, average pooling, float32) with `weights` to start from, on uint8 images `(N, 1, 28, 28)`.

    `width` multiplies its channels and hidden features. A network's input is `(pixel - shift) / scale`. A step is
    `velocity = momentum · velocity + gradient of the batch's mean loss; weights -= lr · velocity`.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]
    shift: float
    scale: float
    weights: Arrays
    width: int = 1
    lr: float = 0.01
    momentum: float = 0.9
