"""Two-dimensional convolution (cross-correlation, as in every CNN framework)."""

from collections.abc import Mapping

from lenet.arrays.backend import Array, Backend
from lenet.common.validation import PositiveInt, validated
from lenet.layers.base import Layer, ParameterSpec, Shape
from lenet.layers.convolution import FlatConvolution, Geometry, RowConvolution, WholeConvolution
from lenet.layers.windows import Padding, Pair, pair, windows_over

Formulation = RowConvolution | FlatConvolution | WholeConvolution


class Conv2d(Layer):
    """Convolve `(N, C, H, W)` with `weight` `(O, C, KH, KW)` and add `bias` `(O,)`; `C` is inferred.

    `y[n, o, i, j] = bias[o] + Σ x[n, c, i·SH - PH + p, j·SW - PW + q] · weight[o, c, p, q]`, `x` zero outside.

    A sub-batch is computed by output rows (`RowConvolution`) or, where few long operations are fastest, whole
    (`WholeConvolution`); a single sample is computed flat (`FlatConvolution`).
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
        # In memory (KH, C, KW, O): a matrix over a window's elements in the order in which those lie.
        return {
            "weight": ParameterSpec(shape, fans, memory=(2, 1, 3, 0)),
            "bias": ParameterSpec((self.channels,)),
        }

    def multiply_accumulates(self) -> int:
        window = self.in_channels * self.kernel_size[0] * self.kernel_size[1]
        return self.channels * self.rows.count * self.columns.count * window

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        weight, weight_gradient = (arrays["weight"].transpose(2, 1, 3, 0) for arrays in (parameters, gradients))
        self._geometry = Geometry(
            self.rows, self.columns, weight, parameters["bias"], weight_gradient, gradients["bias"]
        )
        self._formulations: dict[int, Formulation] = {}

    def forward(self, x: Array) -> Array:
        self._now = self._formulations.get(len(x)) or self._formulate(len(x))
        return self._now.forward(x)

    def backward(self, dy: Array) -> Array | None:
        return self._now.backward(dy)

    def _formulate(self, batch: int) -> Formulation:
        """Make what computes sub-batches of this size."""
        made: Formulation
        if self.backend.prefers_long_operations:
            made = WholeConvolution(self._geometry, batch, self.backend, self.needs_input_gradient)
        elif batch == 1 and self.stride == (1, 1):
            made = FlatConvolution(self._geometry, self.backend, self.needs_input_gradient)
        else:
            made = RowConvolution(self._geometry, batch, self.backend, self.needs_input_gradient)
        self._formulations[batch] = made
        return made
