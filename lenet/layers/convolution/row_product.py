"""The middle of a convolution by rows: products of the kernel with the windows of each output row."""

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Views
from lenet.layers.windows import Windows

TURN_ABOVE = 64
"""Elements of a window from which on `dy` is turned for the weights' gradient: a product that contracts over the
contiguous axis of both its operands runs at a third of the speed, and beyond this size the copy costs less."""


class RowProduct:
    """`y = kernelᵀ · windows` for unfolded rows `(H, C, KW, columns, N)`, and the gradient of `kernel` `(KH·C·KW, O)`.

    The windows of output row `i` are rows `i·SH` to `i·SH + KH` of what is unfolded, one contiguous matrix: an
    overlapping view, so that a convolution is a stack of products and nothing is unfolded along its rows. Each is
    small enough for the BLAS to multiply matrices as they lie.
    """

    def __init__(self, unfolded: Array, rows: Windows, kernel: Array, gradient: Array, backend: Backend) -> None:
        xp, dtype = backend.xp, backend.dtype
        _, channels, columns, places, batch = unfolded.shape
        taps, run = channels * columns, places * batch
        window, outputs = kernel.shape
        line = run * unfolded.itemsize
        self._xp = xp
        self._windows = xp.lib.stride_tricks.as_strided(
            unfolded,
            shape=(rows.count, window, run),
            strides=(rows.stride * taps * line, line, unfolded.itemsize),
        )
        self._kernel, self._gradient = kernel.T, gradient
        self._y = backend.zeros((rows.count, outputs, run))
        self.y = self._y.reshape(rows.count, outputs, places, batch)
        self._turned = backend.zeros((rows.count, run, outputs)) if window > TURN_ABOVE else None
        self._products = backend.zeros(
            (rows.count, *((outputs, window) if self._turned is None else (window, outputs))), dtype
        )
        self._sum = backend.zeros((outputs, window))
        self._transposed = Views(lambda dy: dy.transpose(0, 2, 1))

    def forward(self) -> None:
        """Compute `y` `(rows, O, columns, N)`."""
        self._xp.matmul(self._kernel, self._windows, out=self._y)

    def backward(self, dy: Array) -> None:
        """Write the kernel's gradient, from `dy` `(rows, O, columns·N)` without gaps."""
        if self._turned is not None:
            self._turned[...] = self._transposed.of(dy)
            self._xp.matmul(self._windows, self._turned, out=self._products)
            self._products.sum(axis=0, out=self._gradient)
        else:
            self._xp.matmul(dy, self._windows.transpose(0, 2, 1), out=self._products)
            self._products.sum(axis=0, out=self._sum)
            self._gradient[...] = self._sum.T
