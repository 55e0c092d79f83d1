"""Two-dimensional convolution (cross-correlation, as in every CNN framework)."""

from collections.abc import Mapping

from pydantic import PositiveInt

from lenet.backend import Array
from lenet.layers.base import Layer, ParameterSpec, Shape
from lenet.layers.windows import Padding, Pair, pair, windows_over
from lenet.memory import logical, rows_first
from lenet.validation import validated


TRANSPOSE_ABOVE = 64
"""Elements of a window from which on `dy` is transposed for the weights' gradient: a product that contracts over the
contiguous axis of both its operands runs at a third of the speed, and beyond this size the copy costs less."""


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

    keeps_output = False

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
        dy = rows_first(dy)
        self._weight_gradient(dy.reshape(self.rows.count, self.channels, -1))
        return logical(self._input_gradient(dy)) if self.needs_input_gradient else None

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
        return self._stacked(flat, self.rows.count, self.stride[0])

    def _stacked(self, rows: Array, count: int, stride: int) -> Array:
        """View rows `(H, A, B)` as `count` overlapping stacks of `KH` of them, every `stride`: `(count, KH·A, B)`."""
        row, line, element = rows.strides
        return self.backend.xp.lib.stride_tricks.as_strided(
            rows,
            shape=(count, self.kernel_size[0] * rows.shape[1], rows.shape[2]),
            strides=(stride * row, line, element),
        )

    def _weight_gradient(self, dy: Array) -> None:
        """Write the gradients of weight and bias, from `dy` `(rows, O, columns·N)`."""
        xp = self.backend.xp
        count, taps, run = self._windows.shape
        if taps > TRANSPOSE_ABOVE:
            turned = self.workspace.array("turned", (count, run, self.channels))
            turned[...] = dy.transpose(0, 2, 1)
            products = self.workspace.array("dw", (count, taps, self.channels))
            xp.matmul(self._windows, turned, out=products)
            self._kernel(self.gradients["weight"])[...] = products.sum(axis=0).T
        else:
            products = self.workspace.array("dw", (count, self.channels, taps))
            xp.matmul(dy, self._windows.transpose(0, 2, 1), out=products)
            xp.sum(products, axis=0, out=self._kernel(self.gradients["weight"]))
        ones = self.workspace.array("ones", (run,))
        ones.fill(1)
        xp.sum(xp.matmul(dy, ones), axis=0, out=self.gradients["bias"])

    def _input_gradient(self, dy: Array) -> Array:
        """Return the gradient of the input, `(H, C, W, N)`, from `dy` `(rows, O, columns, N)`.

        The forward pass turned round: the rows of `dy`, `stride` apart with zeros between, are stacked as overlapping
        views, and one product for each row of the input sums over outputs and kernel rows. Only the kernel's columns
        are left to be folded back.
        """
        kernel_height, kernel_width = self.kernel_size
        height, width, channels = self.rows.size, self.columns.size, self.in_channels
        batch = dy.shape[-1]
        run = self.columns.count * batch
        spread = self.workspace.array("spread", (height + kernel_height - 1, self.channels, run))  # gaps stay zero
        outputs, rows = self.rows.spread()
        spread[rows] = dy.reshape(self.rows.count, self.channels, run)[outputs]

        # (O, C, KH, KW) to (C·KW, KH·O), kernel rows reversed: the stack's first row met the kernel's last.
        kernel = self.parameters["weight"][:, :, ::-1].transpose(1, 3, 2, 0)
        kernel = kernel.reshape(channels * kernel_width, -1)
        unfolded = self.workspace.array("dx unfolded", (height, channels * kernel_width, run))
        self.backend.xp.matmul(kernel, self._stacked(spread, height, 1), out=unfolded)

        unfolded = unfolded.reshape(height, channels, kernel_width, self.columns.count, batch)
        dx = self.workspace.array("dx", (height, channels, width, batch))
        dx.fill(0)
        for offset in range(kernel_width):
            outputs, inputs = self.columns.reach(offset)
            dx[:, :, inputs] += unfolded[:, :, offset, outputs]
        return dx
