"""Step sizes that follow from the curvature, one for each parameter."""

import numpy as np
import numpy.typing as npt

from lenet.arrays.backend import Array, Backend
from lenet.common.validation import NonNegativeFloat, PositiveFloat, PositiveInt, validated
from lenet.optimizers.base import Optimizer


class DiagonalLevenbergMarquardt(Optimizer):
    """`theta -= lr / (mu + h) · g`: the stochastic diagonal Levenberg-Marquardt method.

    LeCun et al. 1998, appendix C. `h` is each parameter's curvature, estimated before every epoch on so many `images`;
    `mu` keeps steps from becoming too large where it is small.
    """

    @validated
    def __init__(
        self,
        lr: PositiveFloat = 0.0005,
        mu: PositiveFloat = 0.02,
        images: PositiveInt = 500,
        weight_decay: NonNegativeFloat = 0.0,
        decay_biases: bool = False,
        clip_norm: PositiveFloat | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, decay_biases, clip_norm)
        self.mu = mu
        self.curvature_images = images

    def bind(self, theta: Array, decays: npt.NDArray[np.bool_], backend: Backend) -> None:
        """Allocate what every optimizer needs, and a vector of ones for `mu + h` until that is known."""
        super().bind(theta, decays, backend)
        self._damped = backend.zeros(theta.shape, theta.dtype)
        self._damped.fill(1)

    def take_curvature(self, curvature: Array) -> None:
        """Take each parameter's curvature, `(size,)`; steps follow it until the next is taken."""
        self.xp.add(curvature, self.mu, out=self._damped)

    @property
    def state(self) -> dict[str, Array]:
        """The vector `damped`: `mu + h`, as long as theta."""
        return {"damped": self._damped}

    def _update(self, theta: Array, gradient: Array, lr: float, number: int) -> None:
        gradient *= lr
        gradient /= self._damped
        theta -= gradient
