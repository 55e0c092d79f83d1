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
        y, normal = self.workspace.like("y", x), self.workspace.like("normal", x)
        self._normal, self._trains = normal, self.now.training
        self._deviations = []
        if self._trains:
            self.gradients["running_mean"][...] = 0
            self.gradients["running_var"][...] = 0
            for part in self._groups(len(x)):
                self._deviations.append(self._normalize(x[part], normal[part], y[part]))
        else:
            deviation = xp.sqrt(self.parameters["running_var"] + self.eps)
            self._deviations.append(deviation)
            xp.subtract(x, self._column(self.parameters["running_mean"]), out=normal)
            normal /= self._column(deviation)
        xp.multiply(normal, self._column(self.parameters["weight"]), out=y)
        y += self._column(self.parameters["bias"])
        return y

    def backward(self, dy: Array) -> Array:
        xp, weight = self.backend.xp, self.parameters["weight"]
        product = xp.multiply(dy, self._normal, out=self.workspace.like("y", dy))
        product.sum(axis=self._axes, out=self.gradients["weight"])
        dy.sum(axis=self._axes, out=self.gradients["bias"])
        if not self._trains:
            dy *= self._column(weight / self._deviations[0])
            return dy
        for part, deviation in zip(self._groups(len(dy)), self._deviations, strict=True):
            slopes, normal = dy[part], self._normal[part]
            shared = normal * self._column(product[part].mean(axis=self._axes))
            shared += self._column(slopes.mean(axis=self._axes))
            slopes -= shared
            slopes *= self._column(weight / deviation)
        return dy

    def _normalize(self, x: Array, normal: Array, squares: Array) -> Array:
        """Write a group's normalised `x` to `normal` and return its deviation by feature; `squares` is used up."""
        xp, share = self.backend.xp, len(x) / self.now.batch
        mean = x.mean(axis=self._axes)
        xp.subtract(x, self._column(mean), out=normal)
        variance = xp.multiply(normal, normal, out=squares).mean(axis=self._axes)
        deviation = xp.sqrt(variance + self.eps)
        normal /= self._column(deviation)
        count = x.size // self._features
        self.gradients["running_mean"] += share * mean
        self.gradients["running_var"] += (share * count / max(1, count - 1)) * variance
        return deviation

    def _groups(self, batch: int) -> Iterator[slice]:
        return (slice(start, start + self.group) for start in range(0, batch, self.group))

    def _column(self, values: Array) -> Array:
        """View values by feature as an array that is broadcast over a batch."""
        return values.reshape(self._broadcast)
