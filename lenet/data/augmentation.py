"""Distortions of training images: shifts, rotations, scalings, shears and elastic deformations, drawn anew each step.

A distorted image is the image read at other places: where each pixel comes from is a sum of few smooth fields (the
image's own coordinates, a constant, and Gaussian bumps for what is elastic), weighted by the sample's random numbers.
So one matrix product gives the places for a whole sub-batch, and bilinear interpolation reads there.
"""

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from lenet.arrays import draws
from lenet.arrays.backend import Array, Backend
from lenet.arrays.draws import Pass
from lenet.arrays.memory import Workspace
from lenet.common.validation import NonNegativeFloat, Number, PositiveFloat, validated

AFFINE = 6
"""Random numbers of a sample for its affine part: two shifts, rotation, two scales, shear."""

Floats = npt.NDArray[np.float64]


class Augmentation:
    """How far training images are distorted; each is drawn evenly from plus or minus so much.

    shift: pixels, along either axis. rotation: degrees about the centre. scale: share by which either axis is
    stretched. shear: by how many rows a column moves for each column from the centre. elastic: standard deviation, in
    pixels, of a displacement by white noise that is smoothed by a Gaussian of standard deviation `sigma` pixels
    (Simard, Steinkraus & Platt 2003, section 2). What comes from outside an image is black.
    """

    @validated
    def __init__(
        self,
        shift: NonNegativeFloat = 0.0,
        rotation: Annotated[float, Number, Field(ge=0, le=180)] = 0.0,
        scale: Annotated[float, Number, Field(ge=0, lt=1)] = 0.0,
        shear: NonNegativeFloat = 0.0,
        elastic: NonNegativeFloat = 0.0,
        sigma: PositiveFloat = 4.0,
    ) -> None:
        self.shift = shift
        self.rotation = rotation
        self.scale = scale
        self.shear = shear
        self.elastic = elastic
        self.sigma = sigma

    @property
    def distorts(self) -> bool:
        """Whether it changes images at all."""
        return any((self.shift, self.rotation, self.scale, self.shear, self.elastic))


class Distortion:
    """An augmentation of images of one shape `(C, H, W)`, ready to use; `lenet.arrays.draws` says what it draws from.

    `fields` are `(H · W, 3 + knots)`: rows and columns from the centre, ones, and a bump around each knot.
    """

    def __init__(self, augmentation: Augmentation, shape: tuple[int, int, int], backend: Backend) -> None:
        self.augmentation = augmentation
        self.channels, self.height, self.width = shape
        self.backend = backend
        self._centre = (self.height - 1) / 2, (self.width - 1) / 2
        rows, columns = (offset.ravel() for offset in np.indices((self.height, self.width), float))
        fields = [rows - self._centre[0], columns - self._centre[1], np.ones_like(rows)]
        if augmentation.elastic:
            fields += list(bumps(self.height, self.width, augmentation.sigma, augmentation.elastic))
        self._fields = backend.array(np.stack(fields, axis=1), backend.dtype)
        self._knots = len(fields) - 3

    def apply(self, pixels: Array, now: Pass, out: Array, workspace: Workspace) -> None:
        """Write `pixels` `(n, H · C · W)`, images row by row, distorted to `out` `(H · C · W, n)`.

        What is drawn for a sample depends on the seed, the step and its place in the batch, which `now` tells.
        """
        b = workspace.keep("distortion", len(pixels), lambda: _Buffers(self, len(pixels)))
        self._draw(now, b)
        for weights, places in zip(b.weights, b.places, strict=True):
            self.backend.xp.matmul(self._fields, weights, out=places)
        self._read(pixels, b, out)

    def _draw(self, now: Pass, b: "_Buffers") -> None:
        """Write what each field counts for the row and for the column a pixel comes from: `(2, 3 + knots, n)`."""
        xp, a = self.backend.xp, self.augmentation
        numbers = b.uniform.draw(draws.key(now.seed, "augmentation", now.step), now.position * b.numbers)
        numbers *= 2
        numbers -= 1
        down, right, angle, high, wide, shear = numbers[:AFFINE]
        angle *= math.radians(a.rotation)
        cos, sin = xp.cos(angle, out=b.cos), xp.sin(angle, out=angle)
        for stretch in (high, wide):
            stretch *= a.scale
            stretch += 1
        shear *= a.shear
        rows, columns = b.weights[:, :3]  # source = rotation · scaling · shearing · offset + centre + shift
        xp.multiply(cos, high, out=rows[0])
        xp.multiply(sin, high, out=columns[0])
        xp.multiply(rows[0], shear, out=rows[1])
        xp.multiply(columns[0], shear, out=columns[1])
        across, along = rows[1], columns[1]
        across -= xp.multiply(sin, wide, out=b.product)
        along += xp.multiply(cos, wide, out=b.product)
        for weights, shift, centre in ((rows, down, self._centre[0]), (columns, right, self._centre[1])):
            shift *= a.shift
            xp.add(shift, centre, out=weights[2])
        b.bumps[...] = numbers[AFFINE:].reshape(b.bumps.shape)

    def _read(self, pixels: Array, b: "_Buffers", out: Array) -> None:
        """Interpolate between the four pixels around each place; a border of black pixels stands for all beyond."""
        xp = self.backend.xp
        b.inside[...] = pixels.reshape(len(pixels), self.height, self.channels, self.width).transpose(0, 2, 1, 3)
        row, column = b.places
        row += 1
        column += 1
        xp.minimum(xp.maximum(row, 0, out=row), self.height + 1, out=row)
        xp.minimum(xp.maximum(column, 0, out=column), self.width + 1, out=column)
        for place, whole in ((row, b.corner), (column, b.whole)):
            floor = xp.floor(place, out=b.read[0])  # a float minus an integer would go by way of float64
            whole[...] = floor
            place -= floor
        b.corner *= self.width + 3
        b.corner += b.whole
        b.corner += b.first
        images = out.reshape(self.height, self.channels, self.width, -1)
        for channel in range(self.channels):
            left, right = (self._between(b, step, channel) for step in (0, 1))
            right -= left
            right *= column
            right += left
            images[:, channel] = right.reshape(self.height, self.width, -1)

    def _between(self, b: "_Buffers", step: int, channel: int) -> Array:
        """Interpolate down the column `step` to the right of each place's upper left pixel."""
        xp = self.backend.xp
        upper, lower = b.read[2 * step], b.read[2 * step + 1]
        for target, offset in ((upper, step), (lower, step + self.width + 3)):
            xp.add(b.corner, channel * (self.height + 3) * (self.width + 3) + offset, out=b.whole)
            self.backend.gather(b.padded, b.whole, out=target)
        lower -= upper
        lower *= b.places[0]
        lower += upper
        return lower


class _Buffers:
    """What a distortion of `size` images works with; pixel by pixel, samples innermost."""

    def __init__(self, distortion: Distortion, size: int) -> None:
        d, backend = distortion, distortion.backend
        numbers = AFFINE + 2 * d._knots
        counters = np.arange(size, dtype=np.uint32) * np.uint32(numbers) + np.arange(numbers, dtype=np.uint32)[:, None]
        self.numbers, self.uniform = numbers, draws.Uniform(backend.array(counters), backend)
        self.cos, self.product = backend.zeros(size), backend.zeros(size)
        self.weights = backend.zeros((2, 3 + d._knots, size))
        self.bumps = self.weights[:, 3:]
        pixels = d.height * d.width
        self.places = backend.zeros((2, pixels, size))
        self.corner, self.whole = (backend.zeros((pixels, size), np.intp) for _ in range(2))
        self.read = [backend.zeros((pixels, size)) for _ in range(4)]
        images = backend.zeros((size, d.channels, d.height + 3, d.width + 3))
        self.inside, self.padded = images[:, :, 1:-2, 1:-2], images.reshape(-1)
        self.first = backend.array(np.arange(size, dtype=np.intp) * images[0].size)


def bumps(height: int, width: int, sigma: float, deviation: float) -> Floats:
    """Return Gaussian bumps `(knots, H · W)` that numbers drawn evenly from [-1, 1] weigh to a smooth random field.

    The field's standard deviation is `deviation`. Knots are `sigma` apart, twice as close as a Gaussian of that width
    needs to hide them, and reach as far beyond the edges as it does.
    """
    down, across = (_gaussians(size, sigma) for size in (height, width))
    field = np.einsum("kr,lc->klrc", down, across).reshape(-1, height * width)
    variance = (field**2).sum(axis=0).mean() / 3  # that of a number drawn evenly from [-1, 1] is 1/3
    scaled: Floats = field * (deviation / math.sqrt(variance))
    return scaled


def _gaussians(size: int, sigma: float) -> Floats:
    """Return Gaussians around knots along one axis, `(knots, size)`."""
    reach = math.ceil((size - 1) / 2 / sigma + 2.5)
    knots = (size - 1) / 2 + sigma * np.arange(-reach, reach + 1)
    values: Floats = np.exp(-((np.arange(size) - knots[:, None]) ** 2) / (2 * sigma**2))
    return values
