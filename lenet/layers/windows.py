"""The geometry of windows that slide over an image: kernels, strides, paddings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lenet.arrays.backend import Array, Backend
from lenet.common.validation import NonNegativeInt, PositiveInt
from lenet.layers.base import Layer, Shape, ShapeError, image_shape

Pair = PositiveInt | tuple[PositiveInt, PositiveInt]
Padding = NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt]


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Return `(rows, columns)` of an argument that may be one number for both."""
    return (value, value) if isinstance(value, int) else value


@dataclass(frozen=True)
class Windows:
    """Windows over one axis: position `i` covers `i * stride - padding` up to that plus `kernel`.

    What does not fit at the far end is left out (floor), as in most frameworks.
    """

    size: int
    kernel: int
    stride: int
    padding: int

    @property
    def count(self) -> int:
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def tiles(self) -> bool:
        """Whether each element of the image lies in one window and no other."""
        return not self.padding and self.stride == self.kernel and self.count * self.kernel == self.size

    def reach(self, offset: int) -> tuple[slice, slice]:
        """Return the positions whose element `offset` lies inside the image, and the image's elements they meet."""
        first = max(0, -((offset - self.padding) // self.stride))
        last = min(self.count - 1, (self.size - 1 - offset + self.padding) // self.stride)
        start = first * self.stride + offset - self.padding
        length = max(0, last - first + 1)
        return slice(first, first + length), slice(start, start + length * self.stride, self.stride)

    def membership(self) -> npt.NDArray[np.float64]:
        """Return which elements lie in which window, as ones and zeros `(count, size)`."""
        first = np.arange(self.count)[:, None] * self.stride - self.padding
        elements = np.arange(self.size)
        return ((elements >= first) & (elements < first + self.kernel)).astype(np.float64)

    def meetings(self) -> "list[Meeting]":
        """Return how the image's elements meet the kernel's, grouped by what they meet; some may meet none.

        Position `i` brings element `j` and the kernel's element `k` together where `i · stride + k = j + padding`.
        """
        groups: dict[tuple[int, int], Meeting] = {}
        for element in range(self.size):
            place = element + self.padding
            first = max(0, -((self.kernel - 1 - place) // self.stride))
            last = min(self.count - 1, place // self.stride)
            if first > last:
                continue
            key = place - first * self.stride, last - first + 1
            begun = groups.get(key, Meeting(element, 0, first, *key))
            groups[key] = replace(begun, inputs=begun.inputs + 1)
        return list(groups.values())


@dataclass(frozen=True)
class Meeting:
    """`inputs` elements of an image, `stride` apart from `input` on, that meet the same elements of the kernel.

    The first of them meets position `position` at the kernel's element `kernel_row`, and each of the `count - 1`
    positions after it `stride` elements earlier in the kernel; the next input begins one position later.
    """

    input: int
    inputs: int
    position: int
    kernel_row: int
    count: int


WITHIN = (0, 1)
"""The axes that lie within a window in what `Tiling.windows` returns."""


class Tiling:
    """Images split into windows that tile them, as views.

    Their last axes are in the order in which images lie in memory: a GPU's neighbouring threads take neighbours.
    """

    def __init__(self, rows: Windows, columns: Windows, order: Sequence[int], backend: Backend) -> None:
        self._rows, self._columns, self._order = rows, columns, order
        self._strided = backend.xp.lib.stride_tricks.as_strided

    def windows(self, images: Array) -> Array:
        """View `(N, C, H, W)` as `(KH, KW, …)`, then `(N, C, rows, columns)` in memory order."""
        rows, columns = self._rows, self._columns
        sample, channel, row, column = images.strides
        sizes = (*images.shape[:2], rows.count, columns.count)
        strides = (sample, channel, rows.kernel * row, columns.kernel * column)
        return self._strided(
            images,
            shape=(rows.kernel, columns.kernel, *(sizes[axis] for axis in self._order)),
            strides=(row, column, *(strides[axis] for axis in self._order)),
        )


def windows_over(
    layer: Layer,
    shape: Shape,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> tuple[Windows, Windows]:
    """Return the windows over rows and over columns, or say which do not fit the layer's input."""
    channels, height, width = image_shape(layer, shape)
    rows, columns = (Windows(*axis) for axis in zip((height, width), kernel, stride, padding, strict=True))
    if rows.count < 1 or columns.count < 1:
        raise ShapeError(
            f"layer `{layer.name}`: a window of {kernel[0]}×{kernel[1]} does not fit its input of shape "
            f"{(channels, height, width)} (channels, height, width) with padding {padding[0]}×{padding[1]}."
        )
    return rows, columns
