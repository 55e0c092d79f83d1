"""Two-dimensional convolution (cross-correlation, as in every CNN framework)."""

from collections.abc import Mapping

from pydantic import PositiveInt

from lenet.backend import Array
from lenet.layers.base import Layer, ParameterSpec, Shape
from lenet.layers.windows import Padding, Pair, pair, windows_over
from lenet.memory import logical, rows_first
from lenet.validation import validated


class Conv2d(Layer):
    """Convolve `(N, C, H, W)` with `weight` `(O, C, KH, KW)` and add `bias` `(O,)`; `C` is inferred.

    `y[n, o, i, j] = bias[o] + Σ x[n, c, i·SH - PH + p, j·SW - PW + q] · weight[o, c, p, q]`, `x` zero outside.

    Formulation: im2col (Chellapilla, Puri & Simard 2006), unfolded along the kernel's columns only. In `(H, C, W, N)`
    memory the kernel rows of output row `i` are then one contiguous matrix that begins `SH` rows below that of
    row `i - 1`: an overlapping view, so the convolution is a stack of matrix products over the output rows and
    the unfolded copy is `KH` times smaller.
    """

    @validated
    def __init__(
        self,
        channels: PositiveInt,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        name: str = "",
    ) -> None:
        self.name = name
        self.channels = channels
        self.kernel_size = pair(kernel_size)
        self.stride = pair(stride)
        self.padding = pair(padding)

    def setup(self, shape: Shape) -> Shape:
        self.rows, self.columns = windows_over(self, shape, self.kernel_size, self.stride, self.padding)
        self.in_channels = shape[0]
        return (self.channels, self.rows.count, self.columns.count)

    def parameter_specs(self) -> Mapping[str, ParameterSpec]:
        height, width = self.kernel_size
        fans = (self.in_channels * height * width, self.channels * height * width)
        shape = (self.channels, self.in_channels, height, width)
        # Stored as (O, KH, C, KW), the order in which a window's elements lie in memory.
        return {
            "weight": ParameterSpec(shape, fans, memory=(0, 2, 1, 3)),
            "bias": ParameterSpec((self.channels,)),
        }

    def multiply_accumulates(self) -> int:
        window = self.in_channels * self.kernel_size[0] * self.kernel_size[1]
        return self.channels * self.rows.count * self.columns.count * window

    def forward(self, x: Array) -> Array:
        batch = x.shape[0]
        self._windows = self._unfold(rows_first(x))
        y = self.workspace.array("y", (self.rows.count, self.channels, self.columns.count * batch))
        self.backend.xp.matmul(self._kernel(self.parameters["weight"]), self._windows, out=y)
        y += self.parameters["bias"][:, None]
        return logical(y.reshape(self.rows.count, self.channels, self.columns.count, batch))

    def backward(self, dy: Array) -> Array | None:
        batch = dy.shape[0]
        dy_rows = rows_first(dy).reshape(self.rows.count, self.channels, self.columns.count * batch)
        xp = self.backend.xp

        products = self.workspace.array("dw", (self.rows.count, self.channels, self._windows.shape[1]))
        xp.matmul(dy_rows, self._windows.transpose(0, 2, 1), out=products)
        xp.sum(products, axis=0, out=self._kernel(self.gradients["weight"]))
        xp.sum(dy_rows, axis=(0, 2), out=self.gradients["bias"])

        if not self.needs_input_gradient:
            return None
        spread = self.workspace.array("spread", (self.rows.count, *self._windows.shape[1:]))
        xp.matmul(self._kernel(self.parameters["weight"]).T, dy_rows, out=spread)
        return logical(self._fold(spread, batch))

    def _kernel(self, weight: Array) -> Array:
        """View a weight or its gradient as the matrix `(O, KH·C·KW)`."""
        return weight.transpose(0, 2, 1, 3).reshape(self.channels, -1)

    def _unfold(self, x: Array) -> Array:
        """Return every output row's windows as an overlapping view `(rows, KH·C·KW, columns·N)`."""
        kernel_height, kernel_width = self.kernel_size
        size, channels, _, batch = x.shape
        top = self.padding[0]
        shape = (size + 2 * top, channels, kernel_width, self.columns.count, batch)
        unfolded = self.workspace.array("unfolded", shape)  # its padding stays zero
        for offset in range(kernel_width):
            outputs, inputs = self.columns.reach(offset)
            unfolded[top : top + size, :, offset, outputs] = x[:, :, inputs]
        flat = unfolded.reshape(size + 2 * top, channels * kernel_width, -1)
        stride_row, stride_tap, stride_element = flat.strides
        return self.backend.xp.lib.stride_tricks.as_strided(
            flat,
            shape=(self.rows.count, kernel_height * flat.shape[1], flat.shape[2]),
            strides=(self.stride[0] * stride_row, stride_tap, stride_element),
        )

    def _fold(self, spread: Array, batch: int) -> Array:
        """Add up what each window's element owes its pixel: the transpose of `_unfold`, in `(H, C, W, N)`."""
        kernel_height, kernel_width = self.kernel_size
        rows, columns = self.rows, self.columns
        shape = (rows.count, kernel_height, self.in_channels, kernel_width, columns.count, batch)
        spread = spread.reshape(shape)
        folded = self.workspace.array("folded", (rows.size, *shape[2:]))
        folded.fill(0)
        for offset in range(kernel_height):
            outputs, inputs = rows.reach(offset)
            folded[inputs] += spread[outputs, offset]
        dx = self.workspace.array("dx", (rows.size, self.in_channels, columns.size, batch))
        dx.fill(0)
        for offset in range(kernel_width):
            outputs, inputs = columns.reach(offset)
            dx[:, :, inputs] += folded[:, :, offset, outputs]
        return dx
