"""A convolution by output rows: what is fast where a row of a sub-batch is long."""

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Settled, Views, logical
from lenet.layers.convolution.geometry import Geometry
from lenet.layers.convolution.input_gradient import InputGradient
from lenet.layers.convolution.row_product import RowProduct
from lenet.layers.convolution.unfolding import Unfolding


class RowConvolution:
    """Unfolds the kernel's columns (`Unfolding`), multiplies row by row (`RowProduct`), and goes back the same way
    (`InputGradient`); for `batch` samples."""

    def __init__(self, geometry: Geometry, batch: int, backend: Backend, needs_input_gradient: bool) -> None:
        g, xp, dtype = geometry, backend.xp, backend.dtype
        self._xp, self._bias, self._bias_gradient = xp, g.bias[:, None], g.bias_gradient
        kernel, gradient = (array.reshape(-1, g.outputs) for array in (g.kernel, g.kernel_gradient))
        self._unfolding = Unfolding(g.rows, g.columns, g.channels, batch, backend)
        self._product = RowProduct(self._unfolding.rows, g.rows, kernel, gradient, backend)
        self._back = None
        if needs_input_gradient:
            by_row = g.kernel.reshape(g.rows.kernel, -1, g.outputs)
            self._back = InputGradient(g.rows, g.columns, by_row, g.channels, batch, backend)
        shape = (g.rows.count, g.outputs, g.columns.count * batch)
        self._y = logical(self._product.y)
        self._y_lines = self._product.y.reshape(g.rows.count, -1)
        self._bias_row = backend.zeros(shape[1:])
        self._bias_line = self._bias_row.reshape(-1)
        self._settled = Settled((2, 1, 3, 0), backend)
        self._runs = Views(lambda dy: dy.reshape(shape))
        self._ones, self._row_sums = xp.ones(shape[2], dtype), backend.zeros(shape[:2])

    def forward(self, x: Array) -> Array:
        """Return the output `(N, O, rows, columns)` of images `(N, C, H, W)`."""
        self._unfolding.run(x)
        self._product.forward()
        self._bias_row[...] = self._bias
        self._y_lines += self._bias_line
        return self._y

    def backward(self, dy: Array) -> Array | None:
        """Write the parameters' gradients and return the input's, if it is needed."""
        rows = self._settled.of(dy)
        runs = self._runs.of(rows)
        self._product.backward(runs)
        self._xp.matmul(runs, self._ones, out=self._row_sums)
        self._row_sums.sum(axis=0, out=self._bias_gradient)
        return self._back.run(rows) if self._back else None
