"""Average and maximum over sliding windows."""

from typing import Literal

from lenet.backend import Array
from lenet.layers.base import Layer, Shape
from lenet.layers.windows import Padding, Pair, Windows, pair, windows_over
from lenet.memory import logical, rows_first
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

    def forward(self, x: Array) -> Array:
        x = rows_first(x)
        rows = self._slide(x, self.rows, axis=0, name="rows")
        y = self._slide(rows, self.columns, axis=2, name="y")
        y *= 1 / (self.kernel_size[0] * self.kernel_size[1])
        return logical(y)

    def backward(self, dy: Array) -> Array:
        shares = self.workspace.array("shares", rows_first(dy).shape)
        self.backend.xp.multiply(rows_first(dy), 1 / (self.kernel_size[0] * self.kernel_size[1]), out=shares)
        columns = self._spread(shares, self.columns, axis=2, name="columns")
        return logical(self._spread(columns, self.rows, axis=0, name="dx"))

    def _slide(self, x: Array, windows: Windows, axis: int, name: str) -> Array:
        """Sum `x` over the windows along one axis."""
        out = self.workspace.array(name, (*x.shape[:axis], windows.count, *x.shape[axis + 1 :]))
        pieces = [windows.reach(offset) for offset in range(windows.kernel)]
        if not windows.padding and windows.kernel > 1:  # every element reaches every output: no need of zeros
            (_, first), (_, second), *pieces = pieces
            self.backend.xp.add(x[_along(axis, first)], x[_along(axis, second)], out=out)
        else:
            out.fill(0)
        for outputs, inputs in pieces:
            out[_along(axis, outputs)] += x[_along(axis, inputs)]
        return out

    def _spread(self, y: Array, windows: Windows, axis: int, name: str) -> Array:
        """Give each window's value to all its elements along one axis: the transpose of `_slide`."""
        out = self.workspace.array(name, (*y.shape[:axis], windows.size, *y.shape[axis + 1 :]))
        apart = windows.stride >= windows.kernel  # every element has at most one window
        if not (apart and windows.count * windows.kernel == windows.size):
            out.fill(0)
        for offset in range(windows.kernel):
            outputs, inputs = windows.reach(offset)
            if apart:
                out[_along(axis, inputs)] = y[_along(axis, outputs)]
            else:
                out[_along(axis, inputs)] += y[_along(axis, outputs)]
        return out


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
