"""A convolution of a single sample: the whole image as a flat run, for few and long operations."""

from lenet.arrays.backend import Array, Backend
from lenet.layers.convolution.geometry import Geometry
from lenet.layers.convolution.row_product import TURN_ABOVE


class FlatConvolution:
    """Unfolds the whole kernel (im2col; Chellapilla, Puri & Simard 2006), for one sample and strides of one.

    An image lies as `(C, H, W)` with its padding, and an output as if it were as wide: output `(i, j)` stands at place
    `i·W + j`, and meets element `(p, q)` of the kernel at that place of the image plus `p·W + q`. So each element of
    the kernel sees one contiguous run of a channel, and owes the gradient one; they differ in where they begin alone.
    Between the rows of an output lie `KW - 1` places that mean nothing.
    """

    def __init__(self, geometry: Geometry, backend: Backend, needs_input_gradient: bool) -> None:
        g, xp, zeros = geometry, backend.xp, backend.zeros
        rows, columns, outputs = g.rows, g.columns, g.outputs
        height, width = rows.size + 2 * rows.padding, columns.size + 2 * columns.padding
        area = height * width
        run = (rows.count - 1) * width + columns.count
        window = (rows.kernel, g.channels, columns.kernel)

        def strided(array: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
            strides = tuple(array.itemsize * stride for stride in strides)
            return xp.lib.stride_tricks.as_strided(array, shape, strides)

        def inside(padded: Array) -> Array:
            """View an image `(C, H·W)` with padding as `(1, C, H, W)` without."""
            image = padded.reshape(1, g.channels, height, width)
            return image[:, :, rows.padding : height - rows.padding, columns.padding : width - columns.padding]

        def narrow(wide: Array) -> Array:
            """View an output `(O, rows·W)` as `(1, O, rows, columns)`."""
            return wide.reshape(1, outputs, rows.count, width)[:, :, :, : columns.count]

        self._xp = xp
        self._bias, self._bias_gradient = g.bias[:, None], g.bias_gradient
        self._kernel, self._kernel_gradient = (a.reshape(-1, outputs) for a in (g.kernel, g.kernel_gradient))
        padded = zeros((g.channels, area))
        self._padded = inside(padded)
        self._shifted = strided(padded, (*window, run), (width, area, 1, 1))
        self._unfolded = zeros((*window, run))
        self._columns = self._unfolded.reshape(-1, run)
        wide, wide_dy = zeros((outputs, rows.count * width)), zeros((outputs, rows.count * width))
        self._wide, self._wide_y = wide[:, :run], narrow(wide)
        self._wide_dy, self._dy = wide_dy[:, :run], narrow(wide_dy)  # what lies between its rows stays zero
        self._turned = zeros((run, outputs)) if len(self._columns) > TURN_ABOVE else None
        self._ones = xp.ones(run, backend.dtype)
        self._y = zeros((1, outputs, rows.count, columns.count))
        self._owed = None
        if needs_input_gradient:
            owed = zeros((*window, area))  # its ends stay zero
            self._owed = owed.reshape(-1, area)[:, :run]
            # Read so that the places of a channel line up: what lies before a run begins is the end of the one before.
            row, channel = g.channels * columns.kernel * area, columns.kernel * area
            self._summands = strided(
                owed, (g.channels, rows.kernel, columns.kernel, area), (channel, row - width, area - 1, 1)
            )
            self._padded_dx = zeros((g.channels, area))
            self._dx = inside(self._padded_dx)

    def forward(self, x: Array) -> Array:
        """Return the output `(1, O, rows, columns)` of an image `(1, C, H, W)`."""
        self._padded[...] = x
        self._unfolded[...] = self._shifted
        self._xp.matmul(self._kernel.T, self._columns, out=self._wide)
        self._wide += self._bias
        self._y[...] = self._wide_y
        return self._y

    def backward(self, dy: Array) -> Array | None:
        """Write the parameters' gradients and return the input's, if it is needed."""
        xp = self._xp
        self._dy[...] = dy
        turned = self._wide_dy.T
        if self._turned is not None:
            self._turned[...] = turned
            turned = self._turned
        xp.matmul(self._columns, turned, out=self._kernel_gradient)
        xp.dot(self._wide_dy, self._ones, out=self._bias_gradient)
        if self._owed is None:
            return None
        xp.matmul(self._kernel, self._wide_dy, out=self._owed)
        self._summands.sum(axis=(1, 2), out=self._padded_dx)
        return self._dx
