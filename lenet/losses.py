"""The loss that training minimises."""

from lenet.backend import Array, Backend


class CrossEntropyLoss:
    """Softmax cross-entropy of logits `(N, K)` and integer labels `(N,)`.

    The largest logit is subtracted first (log-sum-exp), so nothing overflows: logits of ±1e4 are fine in float32.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._samples: Array = ()

    def forward(self, logits: Array, labels: Array) -> Array:
        """Return the loss of each sample, `(N,)`."""
        xp = self.backend.xp
        if len(self._samples) != len(labels):
            self._samples = xp.arange(len(labels))
        self._labels = labels
        shifted = logits - logits.max(axis=1, keepdims=True)
        picked = shifted[self._samples, labels]
        self.probabilities = xp.exp(shifted, out=shifted)
        total = self.probabilities.sum(axis=1, keepdims=True)
        self.probabilities /= total
        return xp.log(total[:, 0]) - picked

    def backward(self, scale: float) -> Array:
        """Return the gradient of `scale` times the sum of the last losses: `scale · (softmax - one-hot)`, `(N, K)`.

        With `scale` = 1 / batch it is the gradient of the batch mean, whatever part of the batch this was.
        """
        gradient = self.probabilities
        gradient[self._samples, self._labels] -= 1
        gradient *= scale
        return gradient
