"""Gradient descent, plain and with momentum, in order of increasing complexity."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from lenet.arrays.backend import Array, Backend
from lenet.common.validation import NonNegativeFloat, Number, PositiveFloat, validated
from lenet.optimizers.base import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent: `theta -= lr · g`."""

    def _update(self, theta: Array, gradient: Array, lr: float, number: int) -> None:
        gradient *= lr
        theta -= gradient


class Momentum(Optimizer):
    """Gradient descent with momentum: `v = momentum · v + g; theta -= lr · v`, as PyTorch's SGD has it.

    At a constant rate it equals the classical form `v = momentum · v - lr · g; theta += v` (Polyak 1964;
    Sutskever et al. 2013, equations 1 and 2). Where the rate changes, here it acts at once on the whole step,
    there only on the new gradient's share of it.
    """

    @validated
    def __init__(
        self,
        lr: PositiveFloat = 0.01,
        momentum: Annotated[float, Number, Field(ge=0, lt=1)] = 0.9,
        weight_decay: NonNegativeFloat = 0.0,
        decay_biases: bool = False,
        clip_norm: PositiveFloat | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, decay_biases, clip_norm)
        self.momentum = momentum

    def bind(self, theta: Array, decays: npt.NDArray[np.bool_], backend: Backend) -> None:
        """Allocate what every optimizer needs, and the velocity."""
        super().bind(theta, decays, backend)
        self._velocity = backend.zeros(theta.shape, theta.dtype)

    @property
    def state(self) -> dict[str, Array]:
        """The vector `velocity`, as long as theta."""
        return {"velocity": self._velocity}

    def _update(self, theta: Array, gradient: Array, lr: float, number: int) -> None:
        self._accelerate(gradient)
        theta -= self.xp.multiply(self._velocity, lr, out=gradient)  # whose memory is in the cache

    def _accelerate(self, gradient: Array) -> None:
        self._velocity *= self.momentum
        self._velocity += gradient


class Nesterov(Momentum):
    """Nesterov's accelerated gradient: `v = momentum · v + g; theta -= lr · (g + momentum · v)`.

    PyTorch's form, in which theta is the point where the gradient is taken. At a constant rate it equals
    Sutskever et al. 2013, equations 3 and 4 (Nesterov 1983), with their look-ahead point as theta.
    """

    def _update(self, theta: Array, gradient: Array, lr: float, number: int) -> None:
        self._accelerate(gradient)
        ahead = self.xp.multiply(self._velocity, self.momentum, out=self._scratch)
        ahead += gradient
        ahead *= lr
        theta -= ahead
