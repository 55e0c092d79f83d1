"""Full connection, and the flattening that leads to it."""

import math
from collections.abc import Mapping

from lenet.backend import Array, Backend
from lenet.layers.base import Layer, ParameterSpec, Shape, ShapeError
from lenet.validation import PositiveInt, validated


class Linear(Layer):
    """`y = x · weight + bias` for `(N, in)`, `weight` `(in, out)`, `bias` `(out,)`; `in` is inferred.

    In memory everything is transposed, samples innermost: `yᵀ = weightᵀ · xᵀ`.
    """

    @validated
    def __init__(self, features: PositiveInt, name: str = "") -> None:
        self.name = name
        self.features = features

    keeps_output = False

    def setup(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ShapeError(
                f"layer `{self.name}` needs flat features, and is given {shape}; put a Flatten layer before it."
            )
        self.in_features = shape[0]
        return (self.features,)

    def parameter_specs(self) -> Mapping[str, ParameterSpec]:
        shape = (self.in_features, self.features)
        return {
            "weight": ParameterSpec(shape, fans=shape, memory=(1, 0)),
            "bias": ParameterSpec((self.features,)),
        }

    def multiply_accumulates(self) -> int:
        return self.in_features * self.features

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self._buffers: dict[int, tuple[Array, Array, Array]] = {}
        self._weight, self._bias = parameters["weight"], parameters["bias"][:, None]
        self._weight_gradient, self._bias_gradient = gradients["weight"].T, gradients["bias"]

    def forward(self, x: Array) -> Array:
        self._x = x
        y, _, _ = self._buffers.get(len(x)) or self._prepare(len(x))
        self.backend.xp.matmul(self._weight.T, x.T, out=y)
        y += self._bias
        return y.T

    def backward(self, dy: Array) -> Array | None:
        xp = self.backend.xp
        _, dx, ones = self._buffers[len(dy)]
        xp.dot(dy.T, self._x, out=self._weight_gradient)  # for one sample ten times as fast as matmul
        xp.matmul(dy.T, ones, out=self._bias_gradient)
        if not self.needs_input_gradient:
            return None
        xp.matmul(self._weight, dy.T, out=dx)
        return dx.T

    def _prepare(self, batch: int) -> tuple[Array, Array, Array]:
        xp, dtype = self.backend.xp, self.backend.dtype
        shapes = ((self.features, batch), (self.in_features, batch))
        buffers = (*(xp.zeros(shape, dtype) for shape in shapes), xp.ones(batch, dtype))
        self._buffers[batch] = buffers
        return buffers


class Flatten(Layer):
    """`(N, C, H, W)` to `(N, C·H·W)`, in that order."""

    @validated
    def __init__(self, name: str = "") -> None:
        self.name = name

    keeps_output = False

    def setup(self, shape: Shape) -> Shape:
        self.shape = shape
        return (math.prod(shape),)

    def forward(self, x: Array) -> Array:
        flat = self.workspace.array("flat", (math.prod(self.shape), x.shape[0]))
        samples_last = (*range(1, x.ndim), 0)
        flat.reshape(*self.shape, x.shape[0])[...] = x.transpose(samples_last)
        return flat.T

    def backward(self, dy: Array) -> Array:
        # Back in the order (H, C, W, N), so that the layer below finds its rows contiguous.
        dx = dy.T.reshape(*self.shape, dy.shape[0])
        if len(self.shape) != 3:
            return dx.transpose(dx.ndim - 1, *range(dx.ndim - 1))
        channels, height, width = self.shape
        rows = self.workspace.array("rows", (height, channels, width, dy.shape[0]))
        rows[...] = dx.transpose(1, 0, 2, 3)
        return rows.transpose(3, 1, 0, 2)
