"""Batch normalisation."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from lenet.backend import Array
from lenet.layers.base import Layer, ParameterSpec, Shape
from lenet.validation import Number, PositiveFloat, PositiveInt, validated


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

    def forward(self, x: Array) -> Array:
        xp = self.backend.xp
        y, self._normal = self.workspace.like("y", x), self.workspace.like("normal", x)
        self._trains = self.now.training
        if self._trains:
            self.gradients["running_mean"][...] = 0
            self.gradients["running_var"][...] = 0
            self._factors = [self._normalize(x[part], self._normal[part], y[part]) for part in self._groups(len(x))]
        else:
            self._factors = [1 / xp.sqrt(self.parameters["running_var"] + self.eps)]
            xp.subtract(x, self._column(self.parameters["running_mean"]), out=self._normal)
            self._normal *= self._column(self._factors[0])
        xp.multiply(self._normal, self._column(self.parameters["weight"]), out=y)
        y += self._column(self.parameters["bias"])
        return y

    def backward(self, dy: Array) -> Array:
        xp, axes, weight = self.backend.xp, self._axes, self.parameters["weight"]
        products = xp.multiply(dy, self._normal, out=self.workspace.like("y", dy))
        products.sum(axis=axes, out=self.gradients["weight"])
        dy.sum(axis=axes, out=self.gradients["bias"])
        if not self._trains:
            dy *= self._column(weight * self._factors[0])
            return dy
        for part, factor in zip(self._groups(len(dy)), self._factors, strict=True):
            dx, product = dy[part], products[part]
            slope, shared = product.mean(axis=axes), dx.mean(axis=axes)
            xp.multiply(self._normal[part], self._column(slope), out=product)
            dx -= product
            dx -= self._column(shared)
            dx *= self._column(weight * factor)
        return dy

    def _normalize(self, x: Array, normal: Array, squares: Array) -> Array:
        """Write a group's normalised `x` to `normal`; return 1 / deviation by feature; `squares` is used up."""
        xp, share = self.backend.xp, len(x) / self.now.batch
        mean = x.mean(axis=self._axes)
        xp.subtract(x, self._column(mean), out=normal)
        variance = xp.multiply(normal, normal, out=squares).mean(axis=self._axes)
        factor = 1 / xp.sqrt(variance + self.eps)
        normal *= self._column(factor)
        count = x.size // self._features
        self.gradients["running_mean"] += share * mean
        self.gradients["running_var"] += (share * count / max(1, count - 1)) * variance
        return factor

    def _groups(self, batch: int) -> Iterator[slice]:
        return (slice(start, start + self.group) for start in range(0, batch, self.group))

    def _column(self, values: Array) -> Array:
        """View values by feature as an array that is broadcast over a batch."""
        return values.reshape(self._broadcast)
