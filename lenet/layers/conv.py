"""Two-dimensional convolution (cross-correlation, as in every CNN framework)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lenet.backend import Array, Backend
from lenet.layers.base import Layer, ParameterSpec, Shape
from lenet.layers.windows import Padding, Pair, pair, windows_over
from lenet.memory import logical, rows_first
from lenet.validation import PositiveInt, validated

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

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self._buffers: dict[int, _Buffers] = {}
        self._kernel = parameters["weight"].transpose(0, 2, 1, 3).reshape(self.channels, -1)
        self._kernel_gradient = gradients["weight"].transpose(0, 2, 1, 3).reshape(self.channels, -1)
        # (C, KW, KH, O) with the kernel's rows reversed: the first row that meets an input's row is its last.
        self._turned_kernel = parameters["weight"][:, :, ::-1].transpose(1, 3, 2, 0)

    def forward(self, x: Array) -> Array:
        b = self._b = self._buffers.get(len(x)) or self._prepare(len(x))
        rows = rows_first(x)
        for target, inputs in b.unfolding:
            target[...] = rows[inputs]
        self.backend.xp.matmul(self._kernel, b.windows, out=b.y)
        b.y += self.parameters["bias"][:, None]
        return b.images

    def backward(self, dy: Array) -> Array | None:
        dy = rows_first(dy).reshape(self._b.y.shape)
        self._weight_gradient(dy, self._b)
        return self._input_gradient(dy, self._b) if self.needs_input_gradient else None

    def _weight_gradient(self, dy: Array, b: "_Buffers") -> None:
        """Write the gradients of weight and bias, from `dy` `(rows, O, columns·N)`."""
        xp = self.backend.xp
        if b.turned is not None:
            b.turned[...] = dy.transpose(0, 2, 1)
            xp.matmul(b.windows, b.turned, out=b.products)
            self._kernel_gradient[...] = b.products.sum(axis=0).T
        else:
            xp.matmul(dy, b.windows.transpose(0, 2, 1), out=b.products)
            xp.sum(b.products, axis=0, out=self._kernel_gradient)
        xp.sum(xp.matmul(dy, b.ones), axis=0, out=self.gradients["bias"])

    def _input_gradient(self, dy: Array, b: "_Buffers") -> Array:
        """Return the gradient of the input from `dy` `(rows, O, columns·N)`.

        The forward pass turned round: the rows of `dy`, `stride` apart with zeros between, are stacked as overlapping
        views, and one product for each row of the input sums over outputs and kernel rows. Only the kernel's columns
        are left to be folded back.
        """
        outputs, rows = self.rows.spread()
        b.spread[rows] = dy[outputs]
        self.backend.xp.matmul(self._turned_kernel.reshape(b.folding_shape), b.stacks, out=b.unfolded_dx)
        if b.skewed is not None:
            self.backend.xp.sum(b.skewed, axis=2, out=b.dx)
        else:
            b.dx.fill(0)
            for target, source in b.folding:
                target += source
        return logical(b.dx)

    def _prepare(self, batch: int) -> "_Buffers":
        """Make the buffers for sub-batches of this size, and the views of them that the passes work on."""
        kernel_height, kernel_width = self.kernel_size
        height, width, channels = self.rows.size, self.columns.size, self.in_channels
        count, run = self.rows.count, self.columns.count * batch
        taps, top = channels * kernel_width, self.padding[0]
        xp, dtype = self.backend.xp, self.backend.dtype

        def zeros(*shape: int) -> Array:
            return xp.zeros(shape, dtype)

        unfolded = zeros(height + 2 * top, channels, kernel_width, self.columns.count, batch)  # its padding stays zero
        reach = [self.columns.reach(offset) for offset in range(kernel_width)]
        y = zeros(count, self.channels, run)
        turn = taps * kernel_height > TRANSPOSE_ABOVE
        b = self._buffers[batch] = _Buffers(
            unfolding=[
                (unfolded[top : top + height, :, offset, outputs], (slice(None), slice(None), inputs))
                for offset, (outputs, inputs) in enumerate(reach)
            ],
            windows=self._stacked(unfolded.reshape(-1, taps, run), count, self.stride[0]),
            y=y,
            images=logical(y.reshape(count, self.channels, self.columns.count, batch)),
            turned=zeros(count, run, self.channels) if turn else None,
            products=zeros(count, *((taps * kernel_height, self.channels)[:: 1 if turn else -1])),
            ones=xp.ones(run, dtype),
        )
        if self.needs_input_gradient:
            b.spread = zeros(height + kernel_height - 1, self.channels, run)  # its gaps stay zero
            b.stacks = self._stacked(b.spread, height, 1)
            b.folding_shape = (taps, kernel_height * self.channels)
            b.dx = zeros(height, channels, width, batch)
            gap = kernel_width - 1 - self.padding[1]
            place = self.columns.count + max(gap, 0)
            columns = zeros(height, channels, kernel_width, place, batch)
            b.unfolded_dx = columns.reshape(height, taps, place * batch)[:, :, :run]
            if self.stride[1] == 1 and gap >= 0:
                b.skewed = self._skewed(columns, width)
            b.folding = [
                (b.dx[:, :, inputs], columns[:, :, offset, outputs]) for offset, (outputs, inputs) in enumerate(reach)
            ]
        return b

    def _skewed(self, columns: Array, width: int) -> Array:
        """View `(H, C, KW, places, N)`, its last places zero, so that one axis holds what each pixel is owed.

        Column `q` of the kernel owes pixel `j` what stands at place `j - q + PW`; stepping from one column to the next
        goes one place less far. What lies before the first place is the zero end of the column before.
        """
        row, channel, column, place, sample = columns.strides
        height, channels, kernel_width, _, batch = columns.shape
        return self.backend.xp.lib.stride_tricks.as_strided(
            columns[:, :, :, self.padding[1] :],
            shape=(height, channels, kernel_width, width, batch),
            strides=(row, channel, column - place, place, sample),
        )

    def _stacked(self, rows: Array, count: int, stride: int) -> Array:
        """View rows `(H, A, B)` as `count` overlapping stacks of `KH` of them, every `stride`: `(count, KH·A, B)`."""
        row, line, element = rows.strides
        return self.backend.xp.lib.stride_tricks.as_strided(
            rows,
            shape=(count, self.kernel_size[0] * rows.shape[1], rows.shape[2]),
            strides=(stride * row, line, element),
        )


@dataclass
class _Buffers:
    """What a convolution works in, for one size of sub-batch. Runs are `columns·N` long, taps `C·KW` many."""

    unfolding: list[tuple[Array, Any]]
    """For each column of the kernel, where it is unfolded to and from."""
    windows: Array
    """Every output row's windows, `(rows, KH·taps, run)`, overlapping."""
    y: Array
    images: Array
    """`y` as `(N, O, rows, columns)`."""
    turned: Array | None
    products: Array
    ones: Array
    spread: Array = None
    stacks: Array = None
    unfolded_dx: Array = None
    folding_shape: tuple[int, int] = (0, 0)
    dx: Array = None
    skewed: Array | None = None
    folding: list[tuple[Array, Array]] = field(default_factory=list)
