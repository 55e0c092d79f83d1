"""Average and maximum over sliding windows."""

from dataclasses import dataclass
from typing import Literal

from lenet.backend import Array, Backend
from lenet.layers.base import Layer, Shape
from lenet.layers.windows import Padding, Pair, Windows, pair, windows_over
from lenet.memory import Views, logical, memory_order, rows_first
from lenet.validation import validated


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
        return (shape[0], self.rows.count, self.columns.count)


class AvgPool2d(Pool2d):
    """The mean over each window of `(N, C, H, W)`; padding counts as zeros and is divided by, as in PyTorch.

    The mean is separable: rows are summed first, as long contiguous runs, then the columns of what is left.
    """

    keeps_output = False

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self._passes: dict[tuple[int, ...], _Passes] = {}
        self._share = 1 / (self.kernel_size[0] * self.kernel_size[1])
        self._orders = Views(lambda x: (len(x), *memory_order(x)))

    def forward(self, x: Array) -> Array:
        key = self._orders.of(x)
        p = self._now = self._passes.get(key) or self._prepare(key, x.shape)
        y = p.columns.sum(p.rows.sum(p.stored_x.of(x)))
        y *= self._share
        return p.y

    def backward(self, dy: Array) -> Array:
        p = self._now
        dy *= self._share
        p.rows.spread(p.columns.spread(p.stored_dy.of(dy)))
        return p.dx

    def _prepare(self, key: tuple[int, ...], shape: tuple[int, ...]) -> "_Passes":
        """Make what the passes need for inputs of this size and memory order, which outputs and gradients keep."""
        _, *order = key

        def stored(array: Array) -> Array:
            return array.transpose(order)

        back = [order.index(axis) for axis in range(4)]
        row, column = order.index(2), order.index(3)
        sizes = [shape[axis] for axis in order]
        dx = self.backend.zeros(tuple(sizes))
        sizes[row] = self.rows.count
        between = self.backend.zeros(tuple(sizes))  # one for both directions: what is written often stays in the cache
        sizes[column] = self.columns.count
        y = self.backend.zeros(tuple(sizes))
        rows = _Axis(self.rows, row, dx, between, self.backend)
        columns = _Axis(self.columns, column, between, y, self.backend)
        p = self._passes[key] = _Passes(
            rows, columns, Views(stored), Views(stored), y=y.transpose(back), dx=dx.transpose(back)
        )
        return p


@dataclass
class _Passes:
    """What an average pool works with, for one size and memory order of its input."""

    rows: "_Axis"
    columns: "_Axis"
    stored_x: Views[Array]
    stored_dy: Views[Array]
    y: Array
    dx: Array


class _Axis:
    """Windows along one axis: sums over them, and back to shares of each element."""

    def __init__(self, windows: Windows, axis: int, shares: Array, sums: Array, backend: Backend) -> None:
        self._xp = backend.xp
        self._shares, self._sums = shares, sums
        reach = [windows.reach(offset) for offset in range(windows.kernel)]
        self._outputs = [_along(axis, outputs) for outputs, _ in reach]
        self._inputs = [_along(axis, inputs) for _, inputs in reach]
        # Without padding every element of a window reaches every output, so the first two need no zeros to add to.
        self._whole = not windows.padding and windows.kernel > 1
        # Windows that lie apart own their elements; if they leave none out, nothing is left to be zero.
        self._apart = windows.stride >= windows.kernel
        self._tiled = self._apart and windows.count * windows.kernel == windows.size
        self._summing = Views(
            lambda x: [(self._sums[o], x[i]) for o, i in zip(self._outputs, self._inputs, strict=True)]
        )
        self._spreading = Views(
            lambda y: [(self._shares[i], y[o]) for o, i in zip(self._outputs, self._inputs, strict=True)]
        )

    def sum(self, x: Array) -> Array:
        """Return the sum over each window."""
        pieces = self._summing.of(x)
        if self._whole:
            self._xp.add(pieces[0][1], pieces[1][1], out=self._sums)
            pieces = pieces[2:]
        else:
            self._sums.fill(0)
        for sums, source in pieces:
            sums += source
        return self._sums

    def spread(self, y: Array) -> Array:
        """Give each window's value to all its elements: the transpose of `sum`."""
        if not self._tiled:
            self._shares.fill(0)
        for shares, source in self._spreading.of(y):
            if self._apart:
                shares[...] = source
            else:
                shares += source
        return self._shares


class MaxPool2d(Pool2d):
    """The maximum over each window of `(N, C, H, W)`.

    Padding is minus infinity: it never wins. On a tie the first element of the window in row-major order wins
    and gets the whole gradient, as in PyTorch.
    """

    def forward(self, x: Array) -> Array:
        xp = self.backend.xp
        self._x = x = rows_first(x)
        shape = (self.rows.count, x.shape[1], self.columns.count, x.shape[3])
        self._y = y = self.workspace.array("y", shape)
        y.fill(-xp.inf)
        for outputs, inputs in self._elements():
            xp.maximum(y[outputs], x[inputs], out=y[outputs])
        return logical(y)

    def backward(self, dy: Array) -> Array:
        dy = rows_first(dy)
        dx = self.workspace.array("dx", self._x.shape)
        dx.fill(0)
        open_windows = self.workspace.array("open", self._y.shape, bool)
        open_windows.fill(True)
        for outputs, inputs in self._elements():
            wins = self._x[inputs] == self._y[outputs]
            wins &= open_windows[outputs]
            open_windows[outputs] ^= wins
            dx[inputs] += dy[outputs] * wins
        return logical(dx)

    def _elements(self) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
        """Return, for every element of the window in row-major order, the outputs and the inputs that meet there."""
        return [
            ((outputs, slice(None), output_columns), (inputs, slice(None), input_columns))
            for outputs, inputs in map(self.rows.reach, range(self.kernel_size[0]))
            for output_columns, input_columns in map(self.columns.reach, range(self.kernel_size[1]))
        ]


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


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (slice(None),) * axis + (part,)
