"""Layers of a user's, most of them wrong in one way."""

import math
from typing import ClassVar

import numpy as np

from lenet.layers import Layer, ParameterSpec


class Swish(Layer):
    """Right, without parameters."""

    def forward(self, x):
        self.x, self.s = x, 1 / (1 + self.backend.xp.exp(-x))
        return x * self.s

    def backward(self, dy):
        return dy * self.s * (1 + self.x * (1 - self.s))


class Scale(Layer):
    """Right: `weight · x`, a weight for each place."""

    def setup(self, shape):
        self.shape = shape
        return shape

    def parameter_specs(self):
        return {"weight": ParameterSpec(self.shape, fans=(1, 1))}

    def operations(self, shape):
        return math.prod(shape)

    def forward(self, x):
        self.x = x
        return x * self.parameters["weight"]

    def backward(self, dy):
        self.gradients["weight"][...] = (dy * self.x).sum(axis=0)
        return dy * self.parameters["weight"]


class Slow(Swish):
    """Wrong: the gradient of its input misses a factor."""

    def backward(self, dy):
        return dy * self.s


class OnePlace(Scale):
    """Wrong: one of the weights' gradients is a little off."""

    def backward(self, dy):
        dx = super().backward(dy)
        self.gradients["weight"][(-1,) * len(self.shape)] *= 1.001
        return dx


class Border(Scale):
    """Wrong: of the input's gradient, the last row is missing."""

    def backward(self, dy):
        dx = super().backward(dy)
        dx[:, :, -1] = 0
        return dx


class MeanGradient(Scale):
    """Wrong: takes the mean over the batch, which the loss has taken already."""

    def backward(self, dy):
        dx = super().backward(dy)
        self.gradients["weight"][...] /= len(dy)
        return dx


class NoGradient(Scale):
    def backward(self, dy):
        return dy * self.parameters["weight"]


class Added(Scale):
    def backward(self, dy):
        self.gradients["weight"] += (dy * self.x).sum(axis=0)
        return dy * self.parameters["weight"]


class Replaced(Scale):
    def backward(self, dy):
        self.gradients["weight"] = (dy * self.x).sum(axis=0)
        return dy * self.parameters["weight"]


class ChangesParameter(Scale):
    """Wrong, though it puts out the same at a second call."""

    def forward(self, x):
        weight = self.parameters["weight"]
        weight /= np.sqrt((weight**2).sum())
        return super().forward(x)


class ReplacesParameter(Scale):
    def forward(self, x):
        self.parameters["weight"] = self.parameters["weight"] * 0.5
        return super().forward(x)


class ChangesParameterBackward(Scale):
    def backward(self, dy):
        dx = super().backward(dy)
        self.parameters["weight"] -= 0.1 * self.gradients["weight"]
        return dx


class ChangesAverage(Swish):
    def parameter_specs(self):
        return {"mean": ParameterSpec((), momentum=0.1)}

    def forward(self, x):
        self.parameters["mean"] += x.mean()
        return super().forward(x)


class ForwardNone(Layer):
    def forward(self, x):
        x * 2

    def backward(self, dy):
        return dy * 2


class BackwardNone(Swish):
    def backward(self, dy):
        dy * self.s


class WrongShape(Swish):
    def forward(self, x):
        return super().forward(x)[:, :, 1:]


class WrongGradientShape(Swish):
    def backward(self, dy):
        return super().backward(dy).sum(axis=0)


class SinglePrecision(Swish):
    def forward(self, x):
        return super().forward(x).astype("float32")


class Upcast(Layer):
    """Right in float64; its constant makes float64 of all else."""

    def forward(self, x):
        self.s = np.full(x.shape, 2.0)
        return x * self.s

    def backward(self, dy):
        return dy * self.s


class UpcastBackward(Upcast):
    def forward(self, x):
        self.s = np.full(x.shape, 2.0)
        return x * 2


class UpcastWeight(Scale):
    def forward(self, x):
        self.x = x
        return x * self.parameters["weight"].astype(float)


class CropsInEvaluation(Swish):
    def forward(self, x):
        return super().forward(x)[:, :1] if not self.now.training else super().forward(x)


class RaisesInEvaluation(Swish):
    def forward(self, x):
        if not self.now.training:
            raise ValueError("not yet")
        return super().forward(x)


class Overflows(Layer):
    """Right in float64; in float32 its exponentials are infinite."""

    def forward(self, x):
        e = np.exp(200 + x)
        self.s = e / (1 + e)
        return self.s

    def backward(self, dy):
        return dy * self.s * (1 - self.s)


class NotFinite(Swish):
    def forward(self, x):
        return self.backend.xp.log(x - 1e9)


class Raises(Swish):
    def backward(self, dy):
        raise KeyError("momentum")


class RaisesNothingSaid(Swish):
    def backward(self, dy):
        raise NotImplementedError


class NoBackward(Layer):
    def forward(self, x):
        return x * 2


class NoForward(Layer):
    def backward(self, dy):
        return dy * 2


class RaisesInSetup(Swish):
    def setup(self, shape):
        return shape[7]


class SetupWithoutShape(Swish):
    def setup(self):
        return (4,)


class RaisesInInit(Swish):
    def __init__(self):
        {}["alpha"]


class SetupNone(Swish):
    def setup(self, shape):
        self.shape = shape


class SpecsNone(Swish):
    def parameter_specs(self):
        return None


class Random(Swish):
    def forward(self, x):
        return x + np.random.default_rng().normal(size=x.shape)


class Stateful(Swish):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * self.calls


class ReturnsItsInput(Layer):
    """Says that its output may be written over, which is its input."""

    keeps_output = False

    def forward(self, x):
        return x

    def backward(self, dy):
        return dy


class WritesOverInputBackward(Swish):
    def backward(self, dy):
        self.x *= 0
        return super().backward(dy)


class WritesOverInput(Layer):
    def forward(self, x):
        x *= 2
        return x.copy()

    def backward(self, dy):
        return dy * 2


class ReadsItsOutput(Layer):
    """Says that it does not read its output again, and does."""

    keeps_output = False

    def forward(self, x):
        self.y = self.backend.xp.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)


class SharesItsOutput(Layer):
    """Right alone; two of them in a network write over each other's output, which they still need."""

    outputs: ClassVar = {}

    def forward(self, x):
        self.y = self.outputs.setdefault((x.shape, x.dtype), np.empty_like(x))
        return np.tanh(x, out=self.y)

    def backward(self, dy):
        return dy * (1 - self.y**2)


class Abs(Layer):
    """Right, with a kink at zero, where the ground of an image may be."""

    def forward(self, x):
        self.x = x
        return abs(x)

    def backward(self, dy):
        return dy * np.sign(self.x)


class NotALayer:
    pass
