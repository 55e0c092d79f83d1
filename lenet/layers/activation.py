"""Elementwise activations. Each keeps what its derivative needs from the forward pass."""

from typing import Literal

from lenet.backend import Array
from lenet.layers.base import Layer
from lenet.validation import validated


class Activation(Layer):
    """What all activations share: buffers in the memory order of what they are given."""

    @validated
    def __init__(self, name: str = "") -> None:
        self.name = name

    def buffer(self, name: str, like: Array) -> Array:
        """Return a buffer with the shape and, so that passes over both run side by side, the memory order of `like`."""
        order = sorted(range(like.ndim), key=lambda axis: -like.strides[axis])
        stored = self.workspace.array(name, tuple(like.shape[axis] for axis in order))
        return stored.transpose([order.index(axis) for axis in range(like.ndim)])


class ReLU(Activation):
    """`max(0, x)`; its derivative at zero is zero."""

    def forward(self, x: Array) -> Array:
        self._y = y = self.buffer("y", x)
        self.backend.xp.maximum(x, 0, out=y)
        return y

    def backward(self, dy: Array) -> Array:
        dx = self.buffer("dx", dy)
        self.backend.xp.multiply(dy, self._y > 0, out=dx)
        return dx


class Tanh(Activation):
    """`amplitude · tanh(slope · x)`, with both 1; the derivative is `slope · (amplitude - y²/amplitude)`."""

    amplitude = 1.0
    slope = 1.0

    def forward(self, x: Array) -> Array:
        self._y = y = self.buffer("y", x)
        self.backend.xp.multiply(x, self.slope, out=y)
        self.backend.xp.tanh(y, out=y)
        y *= self.amplitude
        return y

    def backward(self, dy: Array) -> Array:
        dx = self.buffer("dx", dy)
        xp = self.backend.xp
        xp.multiply(self._y, self._y, out=dx)
        dx *= -self.slope / self.amplitude
        dx += self.slope * self.amplitude
        dx *= dy
        return dx


class ScaledTanh(Tanh):
    """`1.7159 · tanh(2x/3)`: its values at ±1 are ±1 (LeCun et al. 1998, appendix A)."""

    amplitude = 1.7159
    slope = 2 / 3


class Sigmoid(Activation):
    """`1 / (1 + exp(-x))`, computed as `½ + ½ · tanh(x/2)`, which cannot overflow; the derivative is `y · (1 - y)`."""

    def forward(self, x: Array) -> Array:
        self._y = y = self.buffer("y", x)
        self.backend.xp.multiply(x, 0.5, out=y)
        self.backend.xp.tanh(y, out=y)
        y *= 0.5
        y += 0.5
        return y

    def backward(self, dy: Array) -> Array:
        dx = self.buffer("dx", dy)
        self.backend.xp.subtract(1, self._y, out=dx)
        dx *= self._y
        dx *= dy
        return dx


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
