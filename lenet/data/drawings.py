"""Images of one's own made like those that a network was trained on: drawings as MNIST was made, others resized.

A drawing is told from its paper by the paper's grey level, the median of the image's edge: the drawing is what differs
from it in one direction, dark or light. Only what clearly does counts: more than the edge's own noise and a tenth of
the strongest, and of pieces that do not touch each other those that are no specks.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from lenet.data.dataset import Images
from lenet.data.framing import MNIST_BOX, MNIST_SHAPE, Framing, are_inverted, centre_of_mass, edge, is_like_mnist
from lenet.data.image_files import ImageFile, opened, paper_beneath, read_image, spread
from lenet.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

Way = Literal["mnist", "resized", "raw"]
"""How an image is brought to a network: as MNIST was made, resized, or as it is."""

MAX_SIDE = 32_768
WORKED_ON = 1024
"""Pixels of a drawing's longer side from which on it is averaged down before anything is looked for in it."""
FAINTEST, FULL = 0.1, 0.9
"""Shares of the strongest difference from the paper that become nothing and all of a drawing."""
NOISE = 4 * 1.4826
"""Times the median deviation along the edge: four standard deviations of Gaussian noise."""
SPECK = 0.05
"""Pieces with less than this share of the largest one's mass are left out."""
LEAST = 16
"""Grey levels by which something must stand out to be a drawing."""

Floats = npt.NDArray[np.float32]


def way_for(framing: Framing) -> Way:
    """Return how images are brought to a network that was trained on images framed so."""
    return "mnist" if framing.like_mnist else "resized"


def prepare(source: ImageFile, name: str, way: Way, framing: Framing, shape: tuple[int, int, int]) -> Images:
    """Read an image file as a network that takes `shape` (C, H, W) is to see it, uint8 of that shape.

    `resized` reads it as `data=image_folder` reads its files, but for grey levels on paper of the other kind than the
    training images', which are inverted. Raises `UserError`, naming the file `name`, where it cannot be read, for one
    on which nothing is to be seen, and for a `raw` image of another size.
    """
    if way == "mnist":
        return like_mnist(read_drawing(source, name), name)[None]
    channels, height, width = shape
    size = (height, width) if way == "resized" else None
    pixels = read_image(source, 1 if channels == 1 else 3, size, name, MAX_SIDE, as_is=way == "raw")
    if pixels.shape != shape:
        found = " x ".join(map(str, pixels.shape[1:]))
        raise UserError(f"{name}: found {found} pixels; accepted with --raw: {height} x {width}, the network's input.")
    if way == "resized" and (pixels == pixels[:, :1, :1]).all():
        raise UserError(f"{name}: found one colour all over; accepted: a picture.")
    if way == "resized" and are_inverted(pixels[None], framing):
        return 255 - pixels
    return pixels


def read_drawing(source: ImageFile, name: str) -> Floats:
    """Read an image as grey levels (H, W) from 0 to 255, of large ones averages; raises as `opened` does.

    What is transparent is as `paper_beneath` says. Levels of more than 8 bits are spread from their darkest to their
    lightest.
    """
    from PIL.Image import fromarray

    with opened(source, name, MAX_SIDE) as image:
        if image.mode.startswith(("I", "F")):
            return _averaged(fromarray(spread(np.asarray(image, np.float32), name)))
        if not image.has_transparency_data:
            return _averaged(image.convert("L"))
        bands = _averaged(image.convert("RGBA").convert("LA"))
        grey, alpha = bands[:, :, 0], bands[:, :, 1] / np.float32(255)
        drawing: Floats = grey * alpha + np.float32(paper_beneath(grey, alpha)) * (1 - alpha)
        return drawing


def like_mnist(grey: Floats, name: str) -> npt.NDArray[np.uint8]:
    """Return a drawing `(H, W)` as MNIST's digits were made, `(28, 28)`; raise `UserError` for a blank one.

    Light on black, cropped, brought to 20 pixels along its longer side and to a largest level of 255, and moved by
    whole pixels so that its centre of mass is in pixel (14, 14) and all of it within. What is made so already, or its
    negative is, stays as it is.
    """
    from PIL.Image import Resampling, fromarray

    if grey.shape == MNIST_SHAPE[1:]:
        for image in (grey.astype(np.uint8), (255 - grey).astype(np.uint8)):
            if is_like_mnist(image):
                return image
    ink = _cropped(_ink(grey, name))
    scale = MNIST_BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    small = np.asarray(fromarray(ink).resize((width, height), Resampling.BILINEAR))
    digit = (small * (255 / small.max())).round().astype(np.uint8)  # a thin pen's lines are left faint by resizing
    top, left = (14 - middle for middle in centre_of_mass(digit))
    top, left = min(max(top, 0), 28 - height), min(max(left, 0), 28 - width)
    image = np.zeros((28, 28), np.uint8)
    image[top : top + height, left : left + width] = digit
    return image


def _ink(grey: Floats, name: str) -> Floats:
    """Return how much ink each pixel has, from 0 to 1, specks left out."""
    from scipy import ndimage  # takes a moment to import

    around = edge(grey)
    paper = np.float32(np.median(around))
    difference = grey - paper
    noise = float(NOISE * np.median(np.abs(around - paper)))
    none = _faintest(float(np.abs(difference).max()), noise)
    if (difference - np.clip(difference, -none, none)).sum() < 0:  # whole, a page's shading outweighs a drawing
        difference = -difference
    most = float(difference.max())
    if most < LEAST:
        raise UserError(f"{name}: found nothing lighter or darker than its background; accepted: a drawing.")
    none = _faintest(most, noise)
    ink = np.clip((difference - none) / (FULL * most - none), 0, 1).astype(np.float32)
    pieces, _ = ndimage.label(ink > 0, np.ones((3, 3)))
    masses = np.bincount(pieces.ravel(), ink.ravel())
    masses[0] = 0
    kept: Floats = ink * (masses >= SPECK * masses.max())[pieces]
    return kept


def _faintest(most: float, noise: float) -> float:
    """Return the difference from the paper up to which a pixel is paper, where the largest is `most`."""
    return max(FAINTEST * most, min(noise, most / 2))


def _cropped(ink: Floats) -> Floats:
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _averaged(image: "Image") -> Floats:
    """Return averages over squares of pixels, as large as keeps the longer side from `WORKED_ON` on."""
    factor = max(image.size) // WORKED_ON
    return np.asarray(image.reduce(factor) if factor > 1 else image, np.float32)
