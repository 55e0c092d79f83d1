"""What all optimizers share.

An optimizer sees all parameters of a network as one vector and all gradients as another, so that a step is
a handful of array operations whatever the network. `bind` allocates what a step needs, a step nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lenet.arrays.backend import Array, Backend
from lenet.common.validation import NonNegativeFloat, PositiveFloat, validated
from lenet.errors import UserError, part_called

CLEAR_EVERY = 256
"""Steps between two looks for what has vanished; at a momentum of 0.9, 256 steps shrink a velocity by 2e-12."""

VANISHING = 1e13
"""Multiple of the smallest normal number below which it has: 1e-25 in float32, which added to a weight is nothing."""


class Optimizer(ABC):
    """What all optimizers share: weight decay, gradient clipping and the buffers of a step.

    lr: base learning rate; the caller multiplies it by the schedule's factor.
    weight_decay: L2 coefficient; adds `weight_decay · theta` to the gradient.
    decay_biases: whether weight decay applies to biases too.
    clip_norm: largest Euclidean norm of the whole gradient, before weight decay; a longer one is scaled down
        to it (Pascanu, Mikolov & Bengio 2013, algorithm 1). None clips nothing.
    """

    curvature_images: int = 0
    """On how many images `take_curvature` is to be told the loss's curvature before each epoch; 0: not at all."""

    @validated
    def __init__(
        self,
        lr: PositiveFloat = 0.01,
        weight_decay: NonNegativeFloat = 0.0,
        decay_biases: bool = False,
        clip_norm: PositiveFloat | None = None,
    ) -> None:
        self.lr = lr
        self.weight_decay = weight_decay
        self.decay_biases = decay_biases
        self.clip_norm = clip_norm

    def bind(self, theta: Array, decays: npt.NDArray[np.bool_], backend: Backend) -> None:
        """Allocate what steps on the flat vector `theta` need, and start from zero state.

        `decays` lies on the host, as long as `theta`: True where an element is a weight, False for a bias.
        """
        self.xp = backend.xp
        self._state: dict[str, Array] = {}
        self._scratch = backend.zeros(theta.shape, theta.dtype)
        self._norm = self.xp.zeros((), dtype=theta.dtype)
        self._clears = not backend.prefers_long_operations
        self._vanishing = float(np.finfo(theta.dtype).tiny) * VANISHING
        mask = np.ones_like(decays) if self.decay_biases else decays
        self._decay = self.xp.asarray(mask * self.weight_decay, dtype=theta.dtype)

    def step(self, theta: Array, gradient: Array, lr: float, number: int = 0) -> None:
        """Move `theta` one step at the rate `lr`, in place.

        `number` is how many steps were taken before, in the whole training; on a CPU, every `CLEAR_EVERY` steps, what
        has vanished of the optimizer's vectors is cleared. `gradient` is used up: what it then holds means nothing.
        """
        if self._clears and number % CLEAR_EVERY == 0:
            self._clear()
        if self.clip_norm is not None:
            gradient *= self._clip_factor(gradient, self.clip_norm)
        if self.weight_decay:
            self._decay_weights(theta, gradient, lr)
        self._update(theta, gradient, lr, number)

    def take_curvature(self, curvature: Array) -> None:
        """Take each parameter's curvature, a vector like theta; only for those whose `curvature_images` ask for it."""
        raise NotImplementedError

    def _clear(self) -> None:
        """Set to zero what has all but vanished of the vectors in `state`.

        A velocity that no gradient feeds any more halves every few steps, until it is subnormal: from then on
        processors take some hundred cycles for each product with it, and GPUs no more than for any other.
        """
        for vector in self.state.values():
            lives = self.xp.abs(vector, out=self._scratch)
            self.xp.greater(lives, self._vanishing, out=lives)
            vector *= lives

    @property
    def state(self) -> dict[str, Array]:
        """The vectors carried from step to step, by name, to be read and written in place by a checkpoint.

        An optimizer puts them here in `bind`, or returns a mapping of its own.
        """
        return self._state

    def _decay_weights(self, theta: Array, gradient: Array, lr: float) -> None:
        """Add the gradient of `weight_decay / 2 · |theta|²`."""
        gradient += self.xp.multiply(theta, self._decay, out=self._scratch)

    @abstractmethod
    def _update(self, theta: Array, gradient: Array, lr: float, number: int) -> None:
        """Move `theta` along the final gradient, in place; `number` steps were taken before."""

    def _clip_factor(self, gradient: Array, limit: float) -> Array:
        """Return `limit / max(norm, limit)`, exactly 1 for a short gradient, as a 0-d array.

        It stays on the device: reading a number back would make the host wait for the GPU in each step.
        """
        xp, norm = self.xp, self._norm
        # Not a BLAS dot, whose last bits may change with the number of threads.
        xp.sum(xp.multiply(gradient, gradient, out=self._scratch), out=norm)
        xp.sqrt(norm, out=norm)
        xp.maximum(norm, limit, out=norm)
        return xp.divide(limit, norm, out=norm)


def vectors_of(optimizer: Optimizer, theta: Array) -> Mapping[str, Array]:
    """Return the `state` of an optimizer that is bound to `theta`.

    Raises `UserError` where one of a user's own keeps there what is no array of theta's shape.
    """
    for name, vector in optimizer.state.items():
        is_array = isinstance(vector, type(theta))
        if not is_array or vector.shape != theta.shape:
            found = f"an array {vector.shape}" if is_array else f"of type {type(vector).__name__}"
            raise UserError(
                f"{part_called('optimizer', optimizer)}: state[{name!r}] is {found}; accepted: arrays like theta, such "
                "as backend.zeros(theta.shape, theta.dtype). How many steps were taken is `number` in _update."
            )
    return optimizer.state
