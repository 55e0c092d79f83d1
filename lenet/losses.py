"""What training minimises: a loss of what the network puts out, whose gradient is of the batch mean."""

import math
from abc import ABC, abstractmethod
from typing import Annotated

from pydantic import Field

from lenet.backend import Array, Backend
from lenet.errors import UserError
from lenet.validation import Number, PositiveFloat, validated


class Loss(ABC):
    """A loss of outputs `(N, K)`, of which the largest is the prediction, and integer labels `(N,)`.

    `bind` hands over the backend; `backward` belongs to the last `forward`.
    """

    backend: Backend
    probabilities: Array
    """What the last outputs say of each class `(N, K)`, in a buffer, until `backward` writes over it."""

    def bind(self, backend: Backend) -> None:
        """Take the backend to compute on; buffers of an earlier one are left behind."""
        self.backend = backend

    @abstractmethod
    def forward(self, logits: Array, labels: Array) -> Array:
        """Return the loss of each sample, `(N,)`, and set `probabilities`."""

    @abstractmethod
    def backward(self, scale: float) -> Array:
        """Return the gradient of `scale` times the sum of the last losses, `(N, K)`.

        With `scale` = 1 / batch it is the gradient of the batch mean, whatever part of the batch this was.
        """

    def curvature(self) -> Array:
        """Return the second derivatives of the last losses by each output alone, `(N, K)`; call it before `backward`.

        Raises `UserError` where a loss does not say them.
        """
        raise UserError(f"the loss {type(self).__name__} has no curvature, which this optimizer needs.")

    def limit(self, classes: int) -> float:
        """Return the mean loss of an epoch above which training has diverged."""
        return 10 * math.log(classes)


class CrossEntropy(Loss):
    """Softmax cross-entropy of logits `(N, K)`.

    The largest logit is subtracted first (log-sum-exp), so nothing overflows: logits of ±1e4 are fine in float32.
    smoothing: share of each target that is spread evenly over all classes (Szegedy et al. 2016, section 7); the loss
        is then against these targets, in validation and test too.
    """

    @validated
    def __init__(self, smoothing: Annotated[float, Number, Field(ge=0, lt=1)] = 0.0) -> None:
        self.smoothing = smoothing

    def bind(self, backend: Backend) -> None:
        """Take the backend to compute on."""
        super().bind(backend)
        self._samples: Array = ()

    def forward(self, logits: Array, labels: Array) -> Array:
        """Return the loss of each sample, `(N,)`; `probabilities` are then the softmax."""
        xp = self.backend.xp
        if len(self._samples) != len(labels):
            self._samples = xp.arange(len(labels))
            self.probabilities = self._buffer(logits)
        self._places = self._samples, labels
        scores = xp.subtract(logits, logits.max(axis=1, keepdims=True), out=self.probabilities)
        expected = scores[self._places]
        if self.smoothing:
            expected *= 1 - self.smoothing
            expected += self.smoothing * scores.mean(axis=1)
        total = xp.exp(scores, out=scores).sum(axis=1, keepdims=True)
        scores /= total
        losses = xp.log(total[:, 0])
        losses -= expected
        return losses

    def backward(self, scale: float) -> Array:
        """Return `scale · (softmax - target)`, `(N, K)`."""
        gradient = self.probabilities
        gradient[self._places] -= 1 - self.smoothing
        if self.smoothing:
            gradient -= self.smoothing / gradient.shape[1]
        gradient *= scale
        return gradient

    def curvature(self) -> Array:
        """Return `p · (1 - p)` of the softmax."""
        return self.probabilities * (1 - self.probabilities)

    def _buffer(self, logits: Array) -> Array:
        """Return a buffer like `logits` `(N, K)`, samples innermost in memory."""
        return self.backend.zeros(logits.shape[::-1], logits.dtype).T


class MaximumAPosteriori(CrossEntropy):
    """Penalties of which the right class's is to be small and the others' large: LeCun et al. 1998, equation 9.

    With penalties `y = -logits`: `y[label] + log(e^-j + Σ e^-y)`. That is the cross-entropy with one more class, for
    what is no class at all, whose penalty is always `j`: penalties well above it are not pushed further up.
    """

    @validated
    def __init__(self, j: PositiveFloat) -> None:
        super().__init__()
        self.j = j

    def forward(self, logits: Array, labels: Array) -> Array:
        """Return the loss of each sample, `(N,)`; `probabilities` leave what `j`'s class has for none."""
        xp = self.backend.xp
        if len(self._samples) != len(labels):
            self._samples = xp.arange(len(labels))
            self.probabilities = self._buffer(logits)
        self._places = self._samples, labels
        largest = xp.maximum(logits.max(axis=1, keepdims=True), -self.j)
        scores = xp.subtract(logits, largest, out=self.probabilities)
        expected = scores[self._places]
        total = xp.exp(scores, out=scores).sum(axis=1, keepdims=True)
        total += xp.exp(-self.j - largest)
        scores /= total
        losses = xp.log(total[:, 0])
        losses -= expected
        return losses

    def limit(self, classes: int) -> float:
        """Return a thousand: outputs of zero, far from every drawing of 84 pixels, are penalised by 84."""
        return 1000.0
