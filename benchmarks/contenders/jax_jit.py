# mypy: disable-error-code="import-not-found, no-untyped-call, unused-ignore"
"""JAX: the whole step, from the gathering of the batch to the new weights, compiled by XLA."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import lax

from benchmarks.contenders.base import Contender, Indices
from benchmarks.problem import Array, Arrays, Problem


class JaxJit(Contender):
    """One compiled function for each batch size, on images `(N, H, W, C)` and kernels `(H, W, C, O)`.

    Those are what XLA's CPU kernels want: other orders take twice the time. `by_hand` replaces `lax`'s convolution
    by 25 shifted copies and a matrix product, which XLA makes faster code of for a single sample.
    """

    def __init__(self, by_hand: bool = False) -> None:
        self.convolve = _unfold_and_multiply if by_hand else _convolve

    def open(self, problem: Problem) -> None:
        self._train = jnp.asarray(problem.images.transpose(0, 2, 3, 1)), jnp.asarray(problem.labels)
        self._test = jnp.asarray(problem.test_images.transpose(0, 2, 3, 1))

        def loss(weights: Any, indices: Any, images: Any, labels: Any) -> Any:
            scores = jax.nn.log_softmax(self._logits(weights, images[indices]))
            return -jnp.take_along_axis(scores, labels[indices][:, None], axis=1).mean()

        def step(weights: Any, velocity: Any, indices: Any, images: Any, labels: Any) -> Any:
            gradient = jax.grad(loss)(weights, indices, images, labels)
            velocity = jax.tree.map(lambda v, g: problem.momentum * v + g, velocity, gradient)
            return jax.tree.map(lambda w, v: w - problem.lr * v, weights, velocity), velocity

        self._gradient = jax.jit(jax.value_and_grad(loss))
        self._step = jax.jit(step, donate_argnums=(0, 1))
        self._classes = jax.jit(lambda weights, images: self._logits(weights, images).argmax(axis=1))
        super().open(problem)

    def start(self) -> None:
        self._weights = {name: jnp.array(_inwards(weight)) for name, weight in self.problem.weights.items()}
        self._velocity = {name: jnp.zeros_like(weight) for name, weight in self._weights.items()}

    def step(self, indices: Indices) -> None:
        self._weights, self._velocity = self._step(self._weights, self._velocity, indices.astype("i4"), *self._train)

    def wait(self) -> None:
        jax.block_until_ready(self._weights)

    def gradient(self, indices: Indices) -> tuple[float, Arrays]:
        loss, gradients = self._gradient(self._weights, indices.astype("i4"), *self._train)
        return float(loss), _outwards(gradients)

    def weights(self) -> Arrays:
        return _outwards(self._weights)

    def predict(self, batch: int) -> npt.NDArray[np.integer[Any]]:
        pieces = [self._test[start : start + batch] for start in range(0, len(self._test), batch)]
        return np.concatenate([self._classes(self._weights, piece) for piece in pieces])

    def versions(self) -> dict[str, str]:
        return {"JAX": jax.__version__}

    def _logits(self, weights: Any, images: Any) -> Any:
        x = (images.astype(jnp.float32) - self.problem.shift) * (1 / self.problem.scale)
        for name, padding in (("conv1", 2), ("conv2", 0)):
            x = self.convolve(x, weights[f"{name}/weight"], padding) + weights[f"{name}/bias"]
            x = _pool(jax.nn.relu(x))
        x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
        for name in ("linear1", "linear2"):
            x = jax.nn.relu(x @ weights[f"{name}/weight"] + weights[f"{name}/bias"])
        return x @ weights["linear3/weight"] + weights["linear3/bias"]


def _convolve(x: Any, kernel: Any, padding: int) -> Any:
    sides = ((padding, padding), (padding, padding))
    return lax.conv_general_dilated(x, kernel, (1, 1), sides, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _unfold_and_multiply(x: Any, kernel: Any, padding: int) -> Any:
    height, width, _, outputs = kernel.shape
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
    shifted = [x[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)]
    return jnp.concatenate(shifted, axis=-1) @ kernel.reshape(-1, outputs)


def _pool(x: Any) -> Any:
    count, height, width, channels = x.shape
    return x.reshape(count, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))


def _inwards(weight: Array) -> Array:
    return weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight


def _outwards(weights: Any) -> Arrays:
    return {name: np.array(w.transpose(3, 2, 0, 1) if w.ndim == 4 else w) for name, w in weights.items()}
