"""Batch normalisation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Views, memory_order
from lenet.common.validation import Number, PositiveFloat, PositiveInt, validated
from lenet.layers.base import Layer, ParameterSpec, Shape


class BatchNorm(Layer):
    """`y = weight · (x - mean) / √(variance + eps) + bias` by channel of images, or by feature.

    Ioffe & Szegedy 2015, algorithms 1 and 2. In training, mean and variance are those of each `group` of consecutive
    samples of the batch (Hoffer, Hubara & Soudry 2017, "ghost" batch normalisation), so that results do not depend on
    how many samples go through the network at once. In evaluation they are running averages, which move by `momentum`
    at a step, the variance without bias, as PyTorch's do.
    """

    @validated
    def __init__(
        self,
        momentum: Annotated[float, Number, Field(gt=0, le=1)] = 0.1,
        eps: PositiveFloat = 1e-5,
        group: PositiveInt = 32,
        name: str = "",
    ) -> None:
        self.name = name
        self.momentum = momentum
        self.eps = eps
        self.group = group

    def setup(self, shape: Shape) -> Shape:
        self._features = shape[0]
        self._axes = (0, 2, 3)[: len(shape)]
        self._broadcast = (1, self._features, *[1] * (len(shape) - 1))
        return shape

    def parameter_specs(self) -> Mapping[str, ParameterSpec]:
        shape = (self._features,)
        return {
            "weight": ParameterSpec(shape, initial=1.0),
            "bias": ParameterSpec(shape),
            "running_mean": ParameterSpec(shape, momentum=self.momentum),
            "running_var": ParameterSpec(shape, initial=1.0, momentum=self.momentum),
        }

    def operations(self, shape: Shape) -> int:
        # A sum's addition, a difference, its square, its addition to another sum, and then a factor, weight and bias.
        return 7 * math.prod(shape)

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self._buffers = Views(lambda x: self.workspace.keep("", (x.shape, *memory_order(x)), lambda: self._prepare(x)))
        self._groups_of_x, self._groups_of_dy = Views(self._groups), Views(self._groups)
        self._columns = {name: array.reshape(self._broadcast) for name, array in parameters.items()}

    def forward(self, x: Array) -> Array:
        xp, b = self.backend.xp, self._buffers.of(x)
        self._now, self._trains = b, self.now.training
        if self._trains:
            for group, part in zip(self._groups_of_x.of(x), b.groups, strict=True):
                self._normalize(group, part)
            self._average(b.groups)
        else:
            self._invert(self._columns["running_var"], b.factor)
            xp.subtract(x, self._columns["running_mean"], out=b.normal)
            b.normal *= b.factor
        xp.multiply(b.normal, self._columns["weight"], out=b.y)
        b.y += self._columns["bias"]
        return b.y

    def backward(self, dy: Array) -> Array:
        xp, b, weight = self.backend.xp, self._now, self._columns["weight"]
        xp.multiply(dy, b.normal, out=b.y).sum(axis=self._axes, out=self.gradients["weight"])
        dy.sum(axis=self._axes, out=self.gradients["bias"])
        if not self._trains:
            dy *= xp.multiply(weight, b.factor, out=b.factor)
            return dy
        for dx, g in zip(self._groups_of_dy.of(dy), b.groups, strict=True):
            g.y.mean(axis=g.axes, keepdims=True, out=g.mean)
            xp.multiply(g.normal, g.mean, out=g.y)
            dx.mean(axis=g.axes, keepdims=True, out=g.mean)
            dx -= g.y
            dx -= g.mean
            dx *= xp.multiply(weight, g.factor, out=g.factor)
        return dy

    def _normalize(self, x: Array, g: "_Groups") -> None:
        """Normalise each group of `x` by its own mean and variance."""
        xp = self.backend.xp
        x.mean(axis=g.axes, keepdims=True, out=g.mean)
        xp.subtract(x, g.mean, out=g.normal)
        xp.multiply(g.normal, g.normal, out=g.y).mean(axis=g.axes, keepdims=True, out=g.variance)
        self._invert(g.variance, g.factor)
        g.normal *= g.factor

    def _average(self, groups: list["_Groups"]) -> None:
        """Write what these samples are of the batch's mean and unbiased variance."""
        for name in ("running_mean", "running_var"):
            self.gradients[name].fill(0)
        for g in groups:
            share = g.size / self.now.batch
            count = g.normal.size // (len(g.normal) * self._features)
            for name, values, factor in (
                ("running_mean", g.mean, share),
                ("running_var", g.variance, share * count / max(1, count - 1)),
            ):
                values *= factor
                self.gradients[name] += values.sum(axis=(0, 1, *g.axes[1:]), out=g.total)

    def _invert(self, variance: Array, out: Array) -> None:
        """Write 1 / deviation to `out`."""
        xp = self.backend.xp
        xp.sqrt(xp.add(variance, self.eps, out=out), out=out)
        xp.divide(1, out, out=out)

    def _groups(self, array: Array) -> list[Array]:
        """View a batch `(N, …)` as whole groups `(groups, size, …)` and, where one is left over, that one alone."""
        whole = len(array) // self.group * self.group
        parts = ((array[:whole], self.group), (array[whole:], len(array) - whole))
        return [part.reshape(-1, size, *part.shape[1:]) for part, size in parts if len(part)]

    def _prepare(self, x: Array) -> "_Buffers":
        y, normal = self.workspace.like("y", x), self.workspace.like("normal", x)
        groups = [_Groups(*views, self.backend) for views in zip(self._groups(y), self._groups(normal), strict=True)]
        return _Buffers(y, normal, self.backend.zeros(self._broadcast), groups)


@dataclass
class _Buffers:
    """What a batch is normalised in: `y` and `normal` like the batch, `factor` by feature."""

    y: Array
    normal: Array
    factor: Array
    groups: "list[_Groups]"


class _Groups:
    """The groups of one size: views `(groups, size, features, …)`, and statistics of each group by feature."""

    def __init__(self, y: Array, normal: Array, backend: Backend) -> None:
        groups, self.size, features, *image = normal.shape
        self.y, self.normal = y, normal
        self.axes = (1, 3, 4)[: 1 + len(image)]
        shape = (groups, 1, features, *[1] * len(image))
        self.mean, self.variance, self.factor = (backend.zeros(shape) for _ in range(3))
        self.total = backend.zeros(features)
