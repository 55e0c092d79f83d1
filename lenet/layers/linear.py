"""Full connection, and the flattening that leads to it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Views, memory_order
from lenet.common.validation import PositiveInt, validated
from lenet.layers.base import Layer, ParameterSpec, Shape, ShapeError

LEAST_ROWS = 16
"""Rows below which a product is too low to be fast, however small it is."""


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
        self._buffers: dict[int, _Buffers] = {}
        self._weight, self._bias = parameters["weight"], parameters["bias"][:, None]
        self._weight_gradient, self._bias_gradient = gradients["weight"].T, gradients["bias"]
        self._transposed = Views(lambda array: array.T), Views(lambda array: array.T)

    def forward(self, x: Array) -> Array:
        b = self._now = self._buffers.get(len(x)) or self._prepare(len(x))
        self._x = x
        self.backend.xp.matmul(b.forward, self._transposed[0].of(x), out=b.y_stack)
        b.y += self._bias
        return b.logical_y

    def backward(self, dy: Array) -> Array | None:
        xp, b, dy = self.backend.xp, self._now, self._transposed[1].of(dy)
        xp.dot(dy, self._x, out=self._weight_gradient)  # for one sample ten times as fast as matmul
        xp.dot(dy, b.ones, out=self._bias_gradient)
        if not self.needs_input_gradient:
            return None
        xp.matmul(b.backward, dy, out=b.dx_stack)
        return b.logical_dx

    def _prepare(self, batch: int) -> "_Buffers":
        y, dx = self.backend.zeros((self.features, batch)), self.backend.zeros((self.in_features, batch))
        forward, backward = (stacked(w, batch, self.backend) for w in (self._weight.T, self._weight))
        b = self._buffers[batch] = _Buffers(
            forward,
            backward,
            y=y,
            y_stack=y.reshape(*forward.shape[:-1], batch),
            logical_y=y.T,
            dx_stack=dx.reshape(*backward.shape[:-1], batch),
            logical_dx=dx.T,
            ones=self.backend.xp.ones(batch, self.backend.dtype),
        )
        return b


@dataclass
class _Buffers:
    """What a full connection works with, for one size of sub-batch."""

    forward: Array
    """`weightᵀ`, as a stack where `stacked` says so."""
    backward: Array
    """`weight`, likewise."""
    y: Array
    y_stack: Array
    logical_y: Array
    dx_stack: Array
    logical_dx: Array
    ones: Array


def stacked(matrix: Array, columns: int, backend: Backend) -> Array:
    """View a matrix `(M, K)` as a stack `(S, M/S, K)` whose products with `(K, columns)` are small for the backend.

    Where none need be small it is the matrix itself.
    """
    if backend.small_product is None:
        return matrix
    rows, inner = matrix.shape
    most = backend.small_product // (columns * inner)
    heights = (rows // parts for parts in range(1, rows // LEAST_ROWS + 1) if rows % parts == 0)
    parts = rows // next((height for height in heights if height <= most), rows)
    return matrix.reshape(parts, rows // parts, inner)


class Flatten(Layer):
    """`(N, C, H, W)` to `(N, C·H·W)`, in that order.

    What lies in memory as `(C, H, W, N)` already is not copied, but seen in another shape.
    """

    @validated
    def __init__(self, name: str = "") -> None:
        self.name = name

    keeps_output = False

    def setup(self, shape: Shape) -> Shape:
        self.shape = shape
        return (math.prod(shape),)

    def operations(self, shape: Shape) -> int:
        return 0

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self.keeps_output = not self.overwrites_input  # the output may be the input itself
        self._forward, self._backward = Views(self._prepare_forward), Views(self._prepare_backward)

    def forward(self, x: Array) -> Array:
        target, source, y = self._forward.of(x)
        if target is not None:
            target[...] = source
        return y

    def backward(self, dy: Array) -> Array:
        target, source, dx = self._backward.of(dy)
        if target is not None:
            target[...] = source
        return dx

    def _prepare_forward(self, x: Array) -> tuple[Array | None, Array, Array]:
        """Return where to write (None: nowhere), what, and what comes of it: `(C·H·W, N)` in memory."""
        self._order = memory_order(x)
        samples_last = x.transpose(*range(1, x.ndim), 0)
        if samples_last.flags.c_contiguous:
            return None, samples_last, samples_last.reshape(-1, len(x)).T
        flat = self.workspace.array("flat", (math.prod(self.shape), len(x)))
        return flat.reshape(*self.shape, len(x)), samples_last, flat.T

    def _prepare_backward(self, dy: Array) -> tuple[Array | None, Array, Array]:
        """The same way back, to the memory order of the input."""
        shape = (len(dy), *self.shape)
        if self._order == [*range(1, len(shape)), 0] and dy.T.flags.c_contiguous:
            return None, dy, dy.T.reshape(*self.shape, len(dy)).transpose(len(self.shape), *range(len(self.shape)))
        stored = self.workspace.array("dx", tuple(shape[axis] for axis in self._order))
        dx = stored.transpose([self._order.index(axis) for axis in range(len(shape))])
        return dx, dy.reshape(shape), dx
