"""Elementwise activations. Each keeps what its derivative needs from the forward pass."""

import math
from typing import Literal

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Views, lie_alike, lines, memory_order
from lenet.common.validation import validated
from lenet.layers.base import Layer, Shape


class Activation(Layer):
    """What all activations share: where they write. Backward writes over `dy`."""

    @validated
    def __init__(self, name: str = "") -> None:
        self.name = name

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self._outputs = Views(self._output)
        self._slopes = Views(lambda y: self.workspace.like("slope", y))

    def output(self, x: Array) -> Array:
        """Return `x` itself where it may be written over, else a buffer of its shape and memory order."""
        return self._outputs.of(x)

    def _output(self, x: Array) -> Array:
        stored = x.transpose(memory_order(x))
        flags = stored.flags
        if self.overwrites_input and flags.c_contiguous and x.dtype == self.backend.dtype:
            return x
        return self.workspace.like("y", x)


class ReLU(Activation):
    """`max(0, x)`; its derivative at zero is zero.

    Read as integers, the bits of a float that is not negative are 0 for zero and above 0 for all else: their minimum
    with 1 is the derivative, and multiplying bits by it keeps or clears them. Comparing would make booleans, whose
    conversion takes longer than all of this.
    """

    def operations(self, shape: Shape) -> int:
        return math.prod(shape)

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self._forward = Views(self._prepare_forward)

    def forward(self, x: Array) -> Array:
        self._y, y_lines, zeros = self._forward.of(x)
        if self._y is not x:
            self._y[...] = x
        self.backend.xp.maximum(y_lines, zeros, out=y_lines)
        return self._y

    def backward(self, dy: Array) -> Array:
        dx, bits = self._backward.of(dy)
        if dx is not dy:
            dx[...] = dy
        self.backend.xp.minimum(self._y_bits, self._ones, out=self._y_bits)
        bits *= self._y_bits
        return dx

    def _prepare_forward(self, x: Array) -> tuple[Array, Array, Array]:
        """Return the output, its lines, and a line of zeros; keep what the way back needs."""
        y = self.output(x)
        y_lines = lines(y)
        line = y_lines.shape[1:]
        self._y_bits = y_lines.view(f"i{y.itemsize}")
        self._ones = self.workspace.keep("ones", line, lambda: self._line_of_ones(line))
        self._backward = Views(self._prepare_backward)
        return y, y_lines, self.workspace.array("zeros", line)

    def _line_of_ones(self, line: tuple[int, ...]) -> Array:
        ones = self.backend.zeros(line, self._y_bits.dtype)
        ones.fill(1)
        return ones

    def _prepare_backward(self, dy: Array) -> tuple[Array, Array]:
        """Return where the gradient is written, `dy` itself if it lies like the output, and its bits."""
        alike = lie_alike(dy, self._y) and dy.dtype == self._y.dtype
        dx = dy if alike else self.workspace.like("dx", self._y)
        return dx, lines(dx).view(self._y_bits.dtype)


class Tanh(Activation):
    """`amplitude · tanh(slope · x)`, with both 1; the derivative is `slope · (amplitude - y²/amplitude)`."""

    amplitude = 1.0
    slope = 1.0

    def operations(self, shape: Shape) -> int:
        return math.prod(shape) * (1 + (self.amplitude != 1) + (self.slope != 1))

    def forward(self, x: Array) -> Array:
        self._y = y = self.backend.xp.multiply(x, self.slope, out=self.output(x))
        self.backend.xp.tanh(y, out=y)
        y *= self.amplitude
        return y

    def backward(self, dy: Array) -> Array:
        slope = self.backend.xp.multiply(self._y, self._y, out=self._slopes.of(self._y))
        slope *= -self.slope / self.amplitude
        slope += self.slope * self.amplitude
        dy *= slope
        return dy


class ScaledTanh(Tanh):
    """`1.7159 · tanh(2x/3)`: its values at ±1 are ±1 (LeCun et al. 1998, appendix A)."""

    amplitude = 1.7159
    slope = 2 / 3


class Sigmoid(Activation):
    """`1 / (1 + exp(-x))`, computed as `½ + ½ · tanh(x/2)`, which cannot overflow; the derivative is `y · (1 - y)`."""

    def operations(self, shape: Shape) -> int:
        return 4 * math.prod(shape)  # either formula has four

    def forward(self, x: Array) -> Array:
        self._y = y = self.backend.xp.multiply(x, 0.5, out=self.output(x))
        self.backend.xp.tanh(y, out=y)
        y *= 0.5
        y += 0.5
        return y

    def backward(self, dy: Array) -> Array:
        dy *= self._y
        dy *= self.backend.xp.subtract(1, self._y, out=self._slopes.of(self._y))
        return dy


ACTIVATIONS: dict[str, type[Activation]] = {
    "relu": ReLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "scaled_tanh": ScaledTanh,
}


@validated
def activation(function: Literal["relu", "tanh", "sigmoid", "scaled_tanh"], name: str = "") -> Activation:
    """Return the activation layer of that name: for networks whose activation is chosen by a key."""
    return ACTIVATIONS[function](name=name)
