"""A convolution of a whole batch at once: few and long operations, as a GPU wants them."""

from dataclasses import dataclass

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Settled, Views
from lenet.layers.convolution.geometry import Geometry
from lenet.layers.windows import Windows


class WholeConvolution:
    """Unfolds every window (im2col; Chellapilla, Puri & Simard 2006), so that the output is one matrix product.

    Images lie as `(C, H, W, N)`. The gradient of the input is a convolution too: of `dy`, its elements a stride apart
    and zeros around them, with the kernel turned by half a turn.
    """

    def __init__(self, geometry: Geometry, batch: int, backend: Backend, needs_input_gradient: bool) -> None:
        g = geometry
        self._xp = backend.xp
        self._bias, self._bias_gradient = g.bias[:, None], g.bias_gradient
        self._kernel, self._kernel_gradient = (array.reshape(-1, g.outputs) for array in (g.kernel, g.kernel_gradient))
        self._x = _Unfolding(_onward(g.rows), _onward(g.columns), g.channels, batch, backend)
        y = backend.zeros((g.outputs, g.rows.count, g.columns.count, batch))
        self._ones = backend.zeros(y.size // g.outputs)
        self._ones.fill(1)
        self._y_matrix, self._y = y.reshape(g.outputs, -1), y.transpose(3, 0, 1, 2)
        self._settled, self._matrix = Settled((1, 2, 3, 0), backend), Views(lambda dy: dy.reshape(g.outputs, -1))
        self._needs_input_gradient = needs_input_gradient
        if needs_input_gradient:
            self._turning = g.kernel[::-1, :, ::-1].transpose(0, 3, 2, 1)
            self._turned = backend.zeros(self._turning.shape)
            self._turned_matrix = self._turned.reshape(-1, g.channels)
            self._dy = _Unfolding(_back(g.rows), _back(g.columns), g.outputs, batch, backend)
            dx = backend.zeros((g.channels, g.rows.size, g.columns.size, batch))
            self._dx_matrix, self._dx = dx.reshape(g.channels, -1), dx.transpose(3, 0, 1, 2)

    def forward(self, x: Array) -> Array:
        """Return the output `(N, O, rows, columns)` of images `(N, C, H, W)`."""
        self._xp.matmul(self._kernel.T, self._x.of(x), out=self._y_matrix)
        self._y_matrix += self._bias
        return self._y

    def backward(self, dy: Array) -> Array | None:
        """Write the parameters' gradients and return the input's, if it is needed."""
        matrix = self._matrix.of(self._settled.of(dy))
        self._xp.matmul(self._x.matrix, matrix.T, out=self._kernel_gradient)
        self._xp.dot(matrix, self._ones, out=self._bias_gradient)  # a sum would leave most of a GPU idle
        if not self._needs_input_gradient:
            return None
        self._turned[...] = self._turning
        self._xp.matmul(self._turned_matrix.T, self._dy.of(dy), out=self._dx_matrix)
        return self._dx


@dataclass(frozen=True)
class _Axis:
    """An axis of images in a frame of zeros, `size` long, over which `count` windows slide by `stride`.

    The images' elements `taken` stand at `places` of the frame.
    """

    size: int
    kernel: int
    stride: int
    count: int
    taken: slice
    places: slice


def _onward(windows: Windows) -> _Axis:
    """Return how windows slide over images, whose frame is their padding."""
    w = windows
    inside = slice(w.padding, w.padding + w.size)
    return _Axis(w.size + 2 * w.padding, w.kernel, w.stride, w.count, slice(0, w.size), inside)


def _back(windows: Windows) -> _Axis:
    """Return how turned windows slide over a gradient of the output, for one of each element of the input.

    Output `i` met element `j` of the input at the kernel's element `k = j + padding - i · stride`, which is
    `kernel - 1 - k` in the turned kernel. Outputs that met nothing but padding lie outside.
    """
    w = windows
    size, begin = w.size + w.kernel - 1, w.kernel - 1 - w.padding
    first = max(0, -(begin // w.stride))
    end = max(first, min(w.count, (size - 1 - begin) // w.stride + 1))
    places = slice(first * w.stride + begin, end * w.stride + begin, w.stride)
    return _Axis(size, w.kernel, 1, w.size, slice(first, end), places)


class _Unfolding:
    """Copies every window of images `(N, C, H, W)` beside the others, into `matrix` `(KH·C·KW, rows·columns·N)`."""

    def __init__(self, rows: _Axis, columns: _Axis, channels: int, batch: int, backend: Backend) -> None:
        self._strided = backend.xp.lib.stride_tricks.as_strided
        self._rows, self._columns = rows, columns
        self._windows = backend.zeros((rows.kernel, channels, columns.kernel, rows.count, columns.count, batch))
        self.matrix = self._windows.reshape(rows.kernel * channels * columns.kernel, -1)
        self._frame = None
        if any(axis.places != slice(0, axis.size) for axis in (rows, columns)):
            self._frame = backend.zeros((channels, rows.size, columns.size, batch))
            self._inside = self._frame[:, rows.places, columns.places]
            self._overlapping = self._view(self._frame)
        self._views = Views(self._derive)

    def of(self, images: Array) -> Array:
        """Return `matrix`, filled."""
        source, overlapping = self._views.of(images)
        if self._frame is not None:
            self._inside[...] = source
            overlapping = self._overlapping
        self._windows[...] = overlapping
        return self.matrix

    def _derive(self, images: Array) -> tuple[Array, Array | None]:
        channels_first = images.transpose(1, 2, 3, 0)
        if self._frame is None:
            return channels_first, self._view(channels_first)
        return channels_first[:, self._rows.taken, self._columns.taken], None

    def _view(self, images: Array) -> Array:
        """View images `(C, H, W, N)` as their windows, which overlap: `(KH, C, KW, rows, columns, N)`."""
        channel, row, column, sample = images.strides
        return self._strided(
            images,
            shape=self._windows.shape,
            strides=(row, channel, column, self._rows.stride * row, self._columns.stride * column, sample),
        )
