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
        """Return the loss of each sample, `(N,)`; `probabilities` `(N, K)` are then the softmax, in a buffer."""
        xp = self.backend.xp
        if len(self._samples) != len(labels):
            self._samples = xp.arange(len(labels))
            self.probabilities = self._buffer(logits)
        self._places = self._samples, labels
        scores = xp.subtract(logits, logits.max(axis=1, keepdims=True), out=self.probabilities)
        picked = scores[self._places]
        total = xp.exp(scores, out=scores).sum(axis=1, keepdims=True)
        scores /= total
        losses = xp.log(total[:, 0])
        losses -= picked
        return losses

    def backward(self, scale: float) -> Array:
        """Return the gradient of `scale` times the sum of the last losses: `scale · (softmax - one-hot)`, `(N, K)`.

        With `scale` = 1 / batch it is the gradient of the batch mean, whatever part of the batch this was.
        """
        gradient = self.probabilities
        gradient[self._places] -= 1
        gradient *= scale
        return gradient

    def _buffer(self, logits: Array) -> Array:
        """Return a buffer like `logits` `(N, K)`, samples innermost in memory."""
        return self.backend.zeros(logits.shape[::-1], logits.dtype).T
