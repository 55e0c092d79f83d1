"""Dropout."""

import math
from typing import Annotated

from pydantic import Field

from lenet.arrays import draws
from lenet.arrays.backend import Array
from lenet.arrays.memory import memory_order
from lenet.common.validation import Number, validated
from lenet.layers.base import Layer, Shape


class Dropout(Layer):
    """In training, set each number to zero with probability `rate` and divide the others by `1 - rate`.

    Srivastava et al. 2014, in the inverted form, in which evaluation changes nothing. What is dropped is a function of
    the seed, the layer's name, the step, and the number's place in the batch.
    """

    @validated
    def __init__(self, rate: Annotated[float, Number, Field(ge=0, lt=1)] = 0.5, name: str = "") -> None:
        self.name = name
        self.rate = rate

    def operations(self, shape: Shape) -> int:
        return 2 * math.prod(shape) if self.rate else 0  # a comparison and a division

    def forward(self, x: Array) -> Array:
        self._drops = self.now.training and self.rate > 0
        if not self._drops:
            return x
        xp, now = self.backend.xp, self.now
        uniform = self.workspace.keep("uniform", (x.shape, *memory_order(x)), lambda: self._uniform(x))
        key = draws.key(now.seed, f"dropout/{self.name}", now.step)
        self._factors = self.workspace.like("factors", x)
        numbers = uniform.draw(key, now.position * math.prod(x.shape[1:]))
        xp.greater_equal(numbers, self.rate, out=self._factors)
        self._factors *= 1 / (1 - self.rate)
        return xp.multiply(x, self._factors, out=self.workspace.like("y", x))

    def backward(self, dy: Array) -> Array:
        if self._drops:
            dy *= self._factors
        return dy

    def _uniform(self, x: Array) -> draws.Uniform:
        """Number the elements of a batch like `x` sample by sample, in an array that lies in memory as `x` does."""
        xp = self.backend.xp
        counters = xp.empty_like(x, dtype=xp.uint32)
        counters[...] = xp.arange(x.size, dtype=xp.uint32).reshape(x.shape)
        return draws.Uniform(counters, self.backend)
