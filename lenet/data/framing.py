"""How a data set's images were made, as far as the images tell: what an image of one's own must be made like."""

from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from lenet.data.dataset import Images

Number = TypeVar("Number", np.uint8, np.float32)

LOOKED_AT = 1000
"""Images that are looked at."""
NEARLY_ALL = 0.9
DARK, MIDDLE, LIGHT = 32, 127, 223
MNIST_SHAPE, MNIST_BOX = (1, 28, 28), 20


class Framing(BaseModel):
    """What nearly all images of a data set have in common.

    like_mnist: 28×28 pixels of grey on black, as large as fits a box of 20×20, their centre of mass at pixel (14, 14)
    (LeCun et al. 1998, section III.A). background: what most of an image's edge is; None: neither, or in colour.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    like_mnist: bool
    background: Literal["dark", "light"] | None


def framing_of(images: Images) -> Framing:
    """Return how images `(N, C, H, W)` are framed, by a thousand of them, evenly spread."""
    if images.shape[1] != 1:
        return Framing(like_mnist=False, background=None)
    grey = _some(images)
    edges = _edges(grey)
    background: Literal["dark", "light"] | None = None
    if np.mean(edges <= DARK) >= NEARLY_ALL:
        background = "dark"
    elif np.mean(edges >= LIGHT) >= NEARLY_ALL:
        background = "light"
    alike = images.shape[1:] == MNIST_SHAPE and bool(np.mean([is_like_mnist(image) for image in grey]) >= NEARLY_ALL)
    return Framing(like_mnist=alike, background=background)


def are_inverted(images: Images, framing: Framing) -> bool:
    """Say whether nearly all images `(N, C, H, W)` have the other background than those framed so: light, not dark."""
    if images.shape[1] != 1 or framing.background is None:
        return False
    is_light = _edges(_some(images)) > MIDDLE
    return bool(np.mean(is_light != (framing.background == "light")) >= NEARLY_ALL)


def _some(images: Images) -> npt.NDArray[np.uint8]:
    """Return some of the grey images `(N, 1, H, W)`, evenly spread, `(n, H, W)`."""
    return images[:: -(-len(images) // LOOKED_AT), 0]


def _edges(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the grey level of most of the edge of each image `(n, H, W)`."""
    levels: npt.NDArray[np.float64] = np.median(np.stack([edge(image) for image in images]), axis=1)
    return levels


def edge(image: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return the outermost pixels of an image `(H, W)`, those of one row or column twice."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def centre_of_mass(image: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Return the pixel (row, column) of an image `(H, W)`, not all zero, in which its centre of mass lies."""
    rows, columns = image.sum(axis=1, dtype=np.float64), image.sum(axis=0, dtype=np.float64)
    row, column = (np.arange(len(masses)) @ masses / masses.sum() for masses in (rows, columns))
    return int(row + 0.5), int(column + 0.5)


def is_like_mnist(image: npt.NDArray[np.uint8]) -> bool:
    """Say whether an image `(28, 28)` is made as MNIST's are."""
    if not image.any():
        return False
    sides = [np.ptp(np.flatnonzero(image.any(axis=axis))) + 1 for axis in (0, 1)]
    return max(sides) == MNIST_BOX and centre_of_mass(image) == (14, 14)
