"""Elementwise activations. Each keeps what its derivative needs from the forward pass."""

from typing import Literal

from lenet.backend import Array
from lenet.layers.base import Layer
from lenet.validation import validated


class Activation(Layer):
    """What all activations share: where they write. Backward writes over `dy`."""

    @validated
    def __init__(self, name: str = "") -> None:
        self.name = name

    def output(self, x: Array) -> Array:
        """Return `x` itself where it may be written over, else a buffer of its shape and memory order."""
        if self.overwrites_input:
            return x
        order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
        stored = self.workspace.array("y", tuple(x.shape[axis] for axis in order))
        return stored.transpose([order.index(axis) for axis in range(x.ndim)])


class ReLU(Activation):
    """`max(0, x)`; its derivative at zero is zero. (`clip` runs three times as fast as `maximum` in NumPy.)"""

    def forward(self, x: Array) -> Array:
        xp = self.backend.xp
        self._y = x.clip(0, xp.inf, out=self.output(x))
        return self._y

    def backward(self, dy: Array) -> Array:
        dy *= self._y > 0
        return dy


class Tanh(Activation):
    """`amplitude · tanh(slope · x)`, with both 1; the derivative is `slope · (amplitude - y²/amplitude)`."""

    amplitude = 1.0
    slope = 1.0

    def forward(self, x: Array) -> Array:
        self._y = y = self.backend.xp.multiply(x, self.slope, out=self.output(x))
        self.backend.xp.tanh(y, out=y)
        y *= self.amplitude
        return y

    def backward(self, dy: Array) -> Array:
        slope = self._y * self._y
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

    def forward(self, x: Array) -> Array:
        self._y = y = self.backend.xp.multiply(x, 0.5, out=self.output(x))
        self.backend.xp.tanh(y, out=y)
        y *= 0.5
        y += 0.5
        return y

    def backward(self, dy: Array) -> Array:
        dy *= self._y
        dy *= 1 - self._y
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
