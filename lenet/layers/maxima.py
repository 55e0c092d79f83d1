"""Two ways to take the maximum over windows. The first of tied elements, in row-major order, gets the gradient."""

import math
from collections.abc import Sequence

import numpy as np

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Views, stored
from lenet.layers.windows import Tiling, Windows


class SlidingMax:
    """Compares element by element of the windows, for inputs of one shape `(N, C, H, W)` and memory order.

    `order` holds the axes as they lie in memory, outermost first; outputs and gradients lie so too.
    """

    def __init__(
        self, rows: Windows, columns: Windows, shape: Sequence[int], order: Sequence[int], backend: Backend
    ) -> None:
        self._xp = backend.xp
        out = (*shape[:2], rows.count, columns.count)
        self._y, self._dx = stored(out, order, backend), stored(shape, order, backend)
        self._product = stored(out, order, backend)
        self._wins, self._open = (stored(out, order, backend, bool) for _ in range(2))
        whole = slice(None)
        self._elements = [
            ((whole, whole, outputs, output_columns), (whole, whole, inputs, input_columns))
            for outputs, inputs in map(rows.reach, range(rows.kernel))
            for output_columns, input_columns in map(columns.reach, range(columns.kernel))
        ]
        self._inputs = Views(lambda x: [x[inputs] for _, inputs in self._elements])
        self._of_dy = Views(lambda dy: [dy[outputs] for outputs, _ in self._elements])
        self._of_y, self._of_wins, self._of_open, self._of_product = (
            [array[outputs] for outputs, _ in self._elements]
            for array in (self._y, self._wins, self._open, self._product)
        )
        self._of_dx = [self._dx[inputs] for _, inputs in self._elements]

    def forward(self, x: Array) -> Array:
        """Return the maximum of each window; padding never wins."""
        self._x = x
        self._y.fill(-self._xp.inf)
        for y, each in zip(self._of_y, self._inputs.of(x), strict=True):
            self._xp.maximum(y, each, out=y)
        return self._y

    def backward(self, dy: Array) -> Array:
        """Return the gradient of the input: each window's goes to its first maximum."""
        xp = self._xp
        self._dx.fill(0)
        self._open.fill(True)
        lists = (self._inputs.of(self._x), self._of_y, self._of_wins, self._of_open, self._of_product)
        for x, y, wins, open_, product, of_dy, dx in zip(*lists, self._of_dy.of(dy), self._of_dx, strict=True):
            xp.equal(x, y, out=wins)
            wins &= open_
            open_ ^= wins
            dx += xp.multiply(of_dy, wins, out=product)
        return self._dx


class TiledMax:
    """The same for windows that tile the images: whole windows at once, in five operations both ways."""

    def __init__(
        self, rows: Windows, columns: Windows, shape: Sequence[int], order: Sequence[int], backend: Backend
    ) -> None:
        self._xp = backend.xp
        tiling = Tiling(rows, columns, order, backend)
        out = (*shape[:2], rows.count, columns.count)
        self._y, self._dx = stored(out, order, backend), stored(shape, order, backend)
        self._windows_of_x, self._windows_of_dx = Views(tiling.windows), tiling.windows(self._dx)
        self._y_stored, self._stored_dy = self._y.transpose(order), Views(lambda dy: dy.transpose(order))
        within = (rows.kernel, columns.kernel)
        self._beside = backend.zeros((*within, *self._y_stored.shape))
        self._by_element = self._beside.reshape(-1, *self._y_stored.shape)
        self._first = backend.zeros(self._y_stored.shape, np.int64)
        self._places = backend.array(np.arange(math.prod(within)).reshape(*within, 1, 1, 1, 1))

    def forward(self, x: Array) -> Array:
        """Return the maximum of each window."""
        self._beside[...] = self._windows_of_x.of(x)
        self._by_element.max(axis=0, out=self._y_stored)
        self._by_element.argmax(axis=0, out=self._first)
        return self._y

    def backward(self, dy: Array) -> Array:
        """Return the gradient of the input: each window's goes to its first maximum."""
        self._xp.equal(self._first, self._places, out=self._windows_of_dx)
        self._windows_of_dx *= self._stored_dy.of(dy)
        return self._dx
