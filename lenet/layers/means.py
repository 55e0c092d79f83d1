"""Three ways to take the mean over windows."""

from collections.abc import Sequence

import numpy as np

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Settled, Views, stored
from lenet.layers.windows import WITHIN, Tiling, Windows

WIDEST = 64
"""Columns of the widest image whose windows a product sums: the wider it is, the more of that is times zero."""


class SeparableMean:
    """Sums over the rows of windows, then over their columns, for inputs of one shape `(N, C, H, W)` and memory order.

    `order` holds the axes as they lie in memory, outermost first; outputs and gradients lie so too.
    """

    def __init__(
        self, rows: Windows, columns: Windows, shape: Sequence[int], order: Sequence[int], backend: Backend
    ) -> None:
        sizes = list(shape)

        def buffer() -> Array:
            return backend.zeros(tuple(sizes[axis] for axis in order))

        dx = buffer()
        sizes[2] = rows.count
        between = buffer()  # one for both directions: what is written often stays in the cache
        sizes[3] = columns.count
        y = buffer()
        share = 1 / (rows.kernel * columns.kernel)
        self._rows = _Sums(rows, order.index(2), dx, between, backend)
        self._columns: _Sums | _Products
        if list(order[-2:]) == [3, 0] and columns.size <= WIDEST and not backend.prefers_long_operations:
            self._columns, self._share = _Products(columns, between, y, share, backend), None
        else:
            self._columns, self._share = _Sums(columns, order.index(3), between, y, backend), share
        self._stored_x, self._settled_dy = Views(lambda x: x.transpose(order)), Settled(tuple(order), backend)
        self._y_stored = y
        self._y, self._dx = (array.transpose([order.index(axis) for axis in range(4)]) for array in (y, dx))

    def forward(self, x: Array) -> Array:
        """Return the mean over each window."""
        self._columns.sum(self._rows.sum(self._stored_x.of(x)))
        if self._share is not None:
            self._y_stored *= self._share
        return self._y

    def backward(self, dy: Array) -> Array:
        """Return each element's share of the gradient; `dy` may be written over."""
        if self._share is not None:
            dy *= self._share
        self._rows.spread(self._columns.spread(self._settled_dy.of(dy)))
        return self._dx


class SingleMean:
    """The mean over windows that tile a single image: the image's rows, those of a window side by side, times a matrix.

    A product costs some multiplications by zero and saves most of the calls.
    """

    def __init__(self, rows: Windows, columns: Windows, channels: int, backend: Backend) -> None:
        self._xp = backend.xp
        shares = np.tile(columns.membership().T, (rows.kernel, 1)) / (rows.kernel * columns.kernel)
        self._shares = backend.array(shares, backend.dtype)
        self._spread = backend.array(shares.T, backend.dtype)
        self._y = backend.zeros((1, channels, rows.count, columns.count))
        self._dx = backend.zeros((1, channels, rows.size, columns.size))
        lines = channels * rows.count
        self._y_lines, self._dx_lines = self._y.reshape(lines, -1), self._dx.reshape(lines, -1)
        self._settled_x, self._settled_dy = Settled((0, 1, 2, 3), backend), Settled((0, 1, 2, 3), backend)
        self._lines_of_x, self._lines_of_dy = (Views(lambda array: array.reshape(lines, -1)) for _ in range(2))

    def forward(self, x: Array) -> Array:
        """Return the mean over each window."""
        self._xp.matmul(self._lines_of_x.of(self._settled_x.of(x)), self._shares, out=self._y_lines)
        return self._y

    def backward(self, dy: Array) -> Array:
        """Return each element's share of the gradient."""
        self._xp.matmul(self._lines_of_dy.of(self._settled_dy.of(dy)), self._spread, out=self._dx_lines)
        return self._dx


class TiledMean:
    """The mean over windows that tile images of one shape and memory order, as `SeparableMean` has them.

    Either way is a single operation.
    """

    def __init__(
        self, rows: Windows, columns: Windows, shape: Sequence[int], order: Sequence[int], backend: Backend
    ) -> None:
        self._xp, self._share = backend.xp, 1 / (rows.kernel * columns.kernel)
        tiling = Tiling(rows, columns, order, backend)
        self._y = stored((*shape[:2], rows.count, columns.count), order, backend)
        self._dx = stored(shape, order, backend)
        self._windows_of_x, self._windows_of_dx = Views(tiling.windows), tiling.windows(self._dx)
        self._y_stored, self._stored_dy = self._y.transpose(order), Views(lambda dy: dy.transpose(order))

    def forward(self, x: Array) -> Array:
        """Return the mean over each window."""
        self._windows_of_x.of(x).mean(axis=WITHIN, out=self._y_stored)
        return self._y

    def backward(self, dy: Array) -> Array:
        """Return each element's share of the gradient."""
        self._xp.multiply(self._stored_dy.of(dy), self._share, out=self._windows_of_dx)
        return self._dx


class _Products:
    """Windows along the columns of `(…, W, N)`, by products with a matrix of `share` where an element is in a window.

    A run of a sub-batch is so short that adding runs takes longer than multiplying a whole row, most of it by zero.
    """

    def __init__(self, windows: Windows, shares: Array, sums: Array, share: float, backend: Backend) -> None:
        self._xp = backend.xp
        self._matrix = backend.array(windows.membership() * share, backend.dtype)
        self._transposed = backend.array(self._matrix.T)
        self._sums, self._shares = sums, shares
        self._sums_by_row, self._shares_by_row = (self._by_row(array) for array in (sums, shares))
        self._x_by_row, self._y_by_row = Views(self._by_row), Views(self._by_row)

    def sum(self, x: Array) -> Array:
        """Return the sum over each window, times the share."""
        self._xp.matmul(self._matrix, self._x_by_row.of(x), out=self._sums_by_row)
        return self._sums

    def spread(self, y: Array) -> Array:
        """Give each window's value, times the share, to all its elements."""
        self._xp.matmul(self._transposed, self._y_by_row.of(y), out=self._shares_by_row)
        return self._shares

    def _by_row(self, array: Array) -> Array:
        return array.reshape(-1, *array.shape[-2:])


class _Sums:
    """Windows along one axis: sums over them, and back to shares of each element."""

    def __init__(self, windows: Windows, axis: int, shares: Array, sums: Array, backend: Backend) -> None:
        self._xp = backend.xp
        self._shares, self._sums = shares, sums
        meetings = [
            tuple((slice(None),) * axis + (part,) for part in windows.reach(offset)) for offset in range(windows.kernel)
        ]
        # Without padding every element of a window reaches every output, so the first two need no zeros to add to.
        self._whole = not windows.padding and windows.kernel > 1
        # Windows that lie apart own their elements; if they leave none out, nothing is left to be zero.
        self._apart = windows.stride >= windows.kernel
        self._tiled = windows.tiles
        self._summing = Views(lambda x: [(sums[outputs], x[inputs]) for outputs, inputs in meetings])
        self._spreading = Views(lambda y: [(shares[inputs], y[outputs]) for outputs, inputs in meetings])

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
