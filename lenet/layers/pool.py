"""Average and maximum over sliding windows."""

from typing import Literal

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Views, memory_order
from lenet.common.validation import validated
from lenet.layers.base import Layer, Shape
from lenet.layers.maxima import SlidingMax, TiledMax
from lenet.layers.means import SeparableMean, SingleMean, TiledMean
from lenet.layers.windows import Padding, Pair, pair, windows_over

Mean = SeparableMean | SingleMean | TiledMean


class Pool2d(Layer):
    """What both pools share: windows of `kernel_size` every `stride` (default: the kernel's size, no overlap).

    Rows and columns that no whole window covers at the far end are left out. `padding` must be smaller than the
    window, so that every window meets the image.
    """

    @validated
    def __init__(self, kernel_size: Pair = 2, stride: Pair | None = None, padding: Padding = 0, name: str = "") -> None:
        self.name = name
        self.kernel_size = pair(kernel_size)
        self.stride = self.kernel_size if stride is None else pair(stride)
        self.padding = pair(padding)
        if self.padding[0] >= self.kernel_size[0] or self.padding[1] >= self.kernel_size[1]:
            raise ValueError(
                f"padding {self.padding} must be smaller than the window {self.kernel_size}, "
                "or a window could lie wholly outside the image"
            )

    def setup(self, shape: Shape) -> Shape:
        self.rows, self.columns = windows_over(self, shape, self.kernel_size, self.stride, self.padding)
        self._windows = shape[0] * self.rows.count * self.columns.count
        self._window_size = self.kernel_size[0] * self.kernel_size[1]
        return (shape[0], self.rows.count, self.columns.count)


class AvgPool2d(Pool2d):
    """The mean over each window of `(N, C, H, W)`; padding counts as zeros and is divided by, as in PyTorch.

    The mean is separable: rows are summed first, as long contiguous runs, then the columns of what is left
    (`SeparableMean`). Of a single image it is one product with a matrix (`SingleMean`); where few long operations are
    fastest, windows that tile the image are summed at once (`TiledMean`).
    """

    keeps_output = False

    def operations(self, shape: Shape) -> int:
        return self._windows * self._window_size  # sums of one addition less, and a division

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self._means: dict[tuple[int, ...], Mean] = {}
        self._keys = Views(lambda x: (len(x), *memory_order(x)))

    def forward(self, x: Array) -> Array:
        key = self._keys.of(x)
        self._now = self._means.get(key) or self._prepare(key, x.shape)
        return self._now.forward(x)

    def backward(self, dy: Array) -> Array:
        return self._now.backward(dy)

    def _prepare(self, key: tuple[int, ...], shape: tuple[int, ...]) -> Mean:
        """Make what computes inputs of this size and memory order, which outputs and gradients keep."""
        batch, *order = key
        mean: Mean
        tiled = self.rows.tiles and self.columns.tiles
        if tiled and self.backend.prefers_long_operations:
            mean = TiledMean(self.rows, self.columns, shape, order, self.backend)
        elif tiled and batch == 1:
            mean = SingleMean(self.rows, self.columns, shape[1], self.backend)
        else:
            mean = SeparableMean(self.rows, self.columns, shape, order, self.backend)
        self._means[key] = mean
        return mean


class MaxPool2d(Pool2d):
    """The maximum over each window of `(N, C, H, W)`.

    Padding is minus infinity: it never wins. On a tie the first element of the window in row-major order wins
    and gets the whole gradient, as in PyTorch.
    """

    def operations(self, shape: Shape) -> int:
        return self._windows * (self._window_size - 1)

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self._maxima: dict[tuple[int, ...], SlidingMax | TiledMax] = {}
        self._keys = Views(lambda x: (len(x), *memory_order(x)))

    def forward(self, x: Array) -> Array:
        key = self._keys.of(x)
        self._now = self._maxima.get(key) or self._prepare(key, x.shape)
        return self._now.forward(x)

    def backward(self, dy: Array) -> Array:
        return self._now.backward(dy)

    def _prepare(self, key: tuple[int, ...], shape: tuple[int, ...]) -> SlidingMax | TiledMax:
        """Make what computes inputs of this size and memory order, which outputs and gradients keep."""
        tiled = self.rows.tiles and self.columns.tiles
        kind = TiledMax if tiled and self.backend.prefers_long_operations else SlidingMax
        maximum = self._maxima[key] = kind(self.rows, self.columns, shape, key[1:], self.backend)
        return maximum


@validated
def pooling(
    kind: Literal["avg", "max"],
    kernel_size: Pair = 2,
    stride: Pair | None = None,
    padding: Padding = 0,
    name: str = "",
) -> Pool2d:
    """Return the pool of that kind: for networks whose pooling is chosen by a key."""
    pool = {"avg": AvgPool2d, "max": MaxPool2d}[kind]
    return pool(kernel_size, stride, padding, name)
