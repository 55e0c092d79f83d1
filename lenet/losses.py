"""What training minimises: a loss of what the network puts out, whose gradient is of the batch mean."""

import math
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Workspace
from lenet.common.validation import Number, PositiveFloat, validated
from lenet.errors import UserError


class Loss(ABC):
    """A loss of outputs `(N, K)`, of which the largest is the prediction, and integer labels `(N,)`.

    `bind` hands over the backend; `backward` belongs to the last `forward`. What either returns may be a buffer, which
    holds until the loss is called again.
    """

    backend: Backend
    probabilities: Array
    """What the last outputs say of each class `(N, K)`, in a buffer, until `backward` writes over it."""
    about_probabilities: ClassVar[str] = ""
    """What must be known to read them, in a line; nothing where those of an image add up to 1."""

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
        self._workspace = Workspace(backend)

    def forward(self, logits: Array, labels: Array) -> Array:
        """Return the loss of each sample, `(N,)`; `probabilities` are then the softmax."""
        b = self._prepare(logits, labels)
        logits.max(axis=1, keepdims=True, out=b.largest)
        self._shift(logits, b)
        self.backend.xp.exp(b.scores, out=b.scores).sum(axis=1, keepdims=True, out=b.total)
        return self._finish(b)

    def backward(self, scale: float) -> Array:
        """Return `scale · (softmax - target)`, `(N, K)`."""
        gradient, targets = self._now.scores, self._now.targets
        if self.smoothing:
            targets *= 1 - self.smoothing
            gradient -= targets
            gradient -= self.smoothing / gradient.shape[1]
        else:
            gradient -= targets
        gradient *= scale
        return gradient

    def curvature(self) -> Array:
        """Return `p · (1 - p)` of the softmax."""
        return self.probabilities * (1 - self.probabilities)

    def _prepare(self, logits: Array, labels: Array) -> "_Buffers":
        """Return the buffers for logits of this shape, with `targets` one for each sample's own class, else zero."""
        b = self._now = self._workspace.keep("", logits.shape, lambda: _Buffers(logits, self.backend))
        self.probabilities = b.scores
        self.backend.xp.equal(labels[:, None], b.classes, out=b.targets)
        return b

    def _shift(self, logits: Array, b: "_Buffers") -> None:
        """Subtract `largest` from the logits, and note what is then `expected` of each sample's class."""
        xp = self.backend.xp
        xp.subtract(logits, b.largest, out=b.scores)
        xp.multiply(b.scores, b.targets, out=b.products).sum(axis=1, out=b.expected)
        if self.smoothing:
            b.expected *= 1 - self.smoothing
            b.scores.mean(axis=1, out=b.losses)
            b.losses *= self.smoothing
            b.expected += b.losses

    def _finish(self, b: "_Buffers") -> Array:
        """Divide by the `total`, and return the losses."""
        b.scores /= b.total
        self.backend.xp.log(b.total_line, out=b.losses)
        b.losses -= b.expected
        return b.losses


class _Buffers:
    """What the losses of logits `(N, K)` are computed in, samples innermost in memory."""

    def __init__(self, logits: Array, backend: Backend) -> None:
        samples, classes = logits.shape
        self.classes = backend.xp.arange(classes)
        self.scores, self.products, self.targets = (backend.zeros((classes, samples)).T for _ in range(3))
        self.largest, self.total = (backend.zeros((samples, 1)) for _ in range(2))
        self.total_line = self.total.reshape(-1)
        self.expected, self.losses = backend.zeros(samples), backend.zeros(samples)


class MaximumAPosteriori(CrossEntropy):
    """Penalties of which the right class's is to be small and the others' large: LeCun et al. 1998, equation 9.

    With penalties `y = -logits`: `y[label] + log(e^-j + Σ e^-y)`. That is the cross-entropy with one more class, for
    what is no class at all, whose penalty is always `j`: penalties well above it are not pushed further up.
    """

    about_probabilities = "probabilities add up to less than 1: the rest is for no class at all (loss=map)"

    @validated
    def __init__(self, j: PositiveFloat) -> None:
        super().__init__()
        self.j = j

    def forward(self, logits: Array, labels: Array) -> Array:
        """Return the loss of each sample, `(N,)`; `probabilities` leave what `j`'s class has for none."""
        xp, b = self.backend.xp, self._prepare(logits, labels)
        xp.maximum(logits.max(axis=1, keepdims=True, out=b.largest), -self.j, out=b.largest)
        self._shift(logits, b)
        xp.exp(b.scores, out=b.scores).sum(axis=1, keepdims=True, out=b.total)
        xp.subtract(-self.j, b.largest, out=b.largest)
        b.total += xp.exp(b.largest, out=b.largest)
        return self._finish(b)

    def limit(self, classes: int) -> float:
        """Return a thousand: outputs of zero, far from every drawing of 84 pixels, are penalised by 84."""
        return 1000.0
