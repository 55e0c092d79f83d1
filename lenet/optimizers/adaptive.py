"""Optimizers that scale each parameter's step by how large its gradients have been."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from lenet.arrays.backend import Array, Backend
from lenet.common.validation import NonNegativeFloat, Number, PositiveFloat, validated
from lenet.optimizers.base import Optimizer

Decay = Annotated[float, Number, Field(ge=0, lt=1)]
"""How much of a running average is kept at a step."""


class RMSprop(Optimizer):
    """`s = alpha · s + (1 - alpha) · g²; theta -= lr · g / (√s + eps)`.

    Tieleman & Hinton 2012 (lecture 6.5 of "Neural Networks for Machine Learning"), in PyTorch's form.
    """

    @validated
    def __init__(
        self,
        lr: PositiveFloat = 0.001,
        alpha: Decay = 0.99,
        eps: PositiveFloat = 1e-8,
        weight_decay: NonNegativeFloat = 0.0,
        decay_biases: bool = False,
        clip_norm: PositiveFloat | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, decay_biases, clip_norm)
        self.alpha = alpha
        self.eps = eps

    def bind(self, theta: Array, decays: npt.NDArray[np.bool_], backend: Backend) -> None:
        """Allocate what every optimizer needs, and the mean square of the gradient."""
        super().bind(theta, decays, backend)
        self._square = backend.zeros(theta.shape, theta.dtype)

    @property
    def state(self) -> dict[str, Array]:
        """The vector `square`, as long as theta."""
        return {"square": self._square}

    def _update(self, theta: Array, gradient: Array, lr: float, number: int) -> None:
        root = self._scratch
        average(self._square, self.xp.multiply(gradient, gradient, out=root), self.alpha)
        self.xp.sqrt(self._square, out=root)
        root += self.eps
        gradient *= lr
        gradient /= root
        theta -= gradient


class Adam(Optimizer):
    """`m = beta1 · m + (1 - beta1) · g; v = beta2 · v + (1 - beta2) · g²; theta -= lr · m̂ / (√v̂ + eps)`.

    `m̂ = m / (1 - beta1ᵗ)` and `v̂ = v / (1 - beta2ᵗ)` undo that both start at zero; the first step has t = 1. Kingma &
    Ba 2015, algorithm 1. Weight decay adds to the gradient, as in PyTorch's Adam; see `AdamW`.
    """

    @validated
    def __init__(
        self,
        lr: PositiveFloat = 0.001,
        beta1: Decay = 0.9,
        beta2: Decay = 0.999,
        eps: PositiveFloat = 1e-8,
        weight_decay: NonNegativeFloat = 0.0,
        decay_biases: bool = False,
        clip_norm: PositiveFloat | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, decay_biases, clip_norm)
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps

    def bind(self, theta: Array, decays: npt.NDArray[np.bool_], backend: Backend) -> None:
        """Allocate what every optimizer needs, and the two running moments of the gradient."""
        super().bind(theta, decays, backend)
        self._mean = backend.zeros(theta.shape, theta.dtype)
        self._square = backend.zeros(theta.shape, theta.dtype)

    @property
    def state(self) -> dict[str, Array]:
        """The vectors `mean` and `square`, as long as theta."""
        return {"mean": self._mean, "square": self._square}

    def _update(self, theta: Array, gradient: Array, lr: float, number: int) -> None:
        xp, root = self.xp, self._scratch
        average(self._square, xp.multiply(gradient, gradient, out=root), self.beta2)
        average(self._mean, gradient, self.beta1)
        xp.multiply(self._square, 1 / (1 - self.beta2 ** (number + 1)), out=root)
        xp.sqrt(root, out=root)
        root += self.eps
        step = xp.multiply(self._mean, lr / (1 - self.beta1 ** (number + 1)), out=gradient)
        step /= root
        theta -= step


class AdamW(Adam):
    """Adam with decoupled weight decay: `theta -= lr · weight_decay · theta` beside Adam's own step.

    Loshchilov & Hutter 2019, algorithm 2, in PyTorch's form: what a weight decays by does not depend on its gradients.
    """

    def _decay_weights(self, theta: Array, gradient: Array, lr: float) -> None:
        shrinkage = self.xp.multiply(theta, self._decay, out=self._scratch)
        shrinkage *= lr
        theta -= shrinkage


def average(running: Array, value: Array, kept: float) -> None:
    """Move a running average to `kept · running + (1 - kept) · value`, in place; `value` is used up."""
    value *= 1 - kept
    running *= kept
    running += value
