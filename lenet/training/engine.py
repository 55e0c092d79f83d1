"""A step's computation, cut into sub-batches: the same bits for every number of threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

from lenet.backend import Array, Backend
from lenet.data.loader import ImageTable
from lenet.losses import CrossEntropyLoss
from lenet.memory import Workspace
from lenet.network import Network

Result = TypeVar("Result")


@dataclass(frozen=True)
class Scores:
    """What a network makes of images, on the host: loss, label, predicted class and its probability, each `(N,)`."""

    losses: npt.NDArray[np.float64]
    labels: npt.NDArray[np.intp]
    predictions: npt.NDArray[np.intp]
    probabilities: npt.NDArray[np.float64]

    def summary(self, name: str) -> dict[str, float]:
        """Return the mean loss and the accuracy as metrics `name/loss` and `name/accuracy`."""
        accuracy = float((self.predictions == self.labels).mean())
        return {f"{name}/loss": float(self.losses.mean()), f"{name}/accuracy": accuracy}

    def confusion(self, classes: int) -> npt.NDArray[np.intp]:
        """Return how often each class (row) was taken for each (column), `(classes, classes)`."""
        pairs = self.labels * classes + self.predictions
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


class Engine:
    """Computes gradients and scores of a network, its sub-batches spread over the backend's threads.

    Sub-batches have a fixed size, each is computed by one thread, and their results are added up in their order.
    A context manager: leaving it ends the threads.
    """

    def __init__(self, network: Network, backend: Backend) -> None:
        self.network = network
        self.backend = backend
        self._workers = [_Worker(network.replica(), backend) for _ in range(backend.threads)]
        self._pool = ThreadPoolExecutor(backend.threads) if backend.threads > 1 else None

    def __enter__(self) -> Self:
        self._blas = self.backend.limit_blas()
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool:
            self._pool.shutdown()
        self._blas.restore_original_limits()

    def gradient(self, table: ImageTable, indices: Array) -> tuple[Array, Array]:
        """Write the gradient of the batch's mean loss into `network.gradient`; return that loss and the accuracy."""
        share = 1 / len(indices)
        total = self.network.gradient
        loss, correct = 0.0, 0
        parts = self._each(indices, lambda worker, ids: worker.train(table, ids, share))
        for number, (part_loss, part_correct, part) in enumerate(parts):
            if number:
                total += part
            else:
                total[...] = part
            loss = loss + part_loss
            correct = correct + part_correct
        return loss * share, correct * share

    def score(self, table: ImageTable, indices: Array | None = None) -> Scores:
        """Return what the network makes of the images at `indices`, or of all."""
        xp = self.backend.xp
        indices = xp.arange(len(table)) if indices is None else indices
        parts = list(self._each(indices, lambda worker, ids: worker.score(table, ids)))
        losses, labels, predictions, probabilities = (
            self.backend.to_host(xp.concatenate(column)) for column in zip(*parts, strict=True)
        )
        return Scores(losses.astype(np.float64), labels, predictions, probabilities.astype(np.float64))

    def _each(self, indices: Array, work: Callable[["_Worker", Array], Result]) -> Iterator[Result]:
        """Yield the result of every sub-batch in order, as many at a time as there are workers."""
        size = self.backend.sub_batch or len(indices)
        parts = [indices[start : start + size] for start in range(0, len(indices), size)]
        if self._pool is None or len(parts) == 1:
            for part in parts:
                yield work(self._workers[0], part)
            return
        for start in range(0, len(parts), len(self._workers)):
            yield from self._pool.map(work, self._workers, parts[start : start + len(self._workers)])


class _Worker:
    """One thread's share: a replica of the network with buffers of its own."""

    def __init__(self, network: Network, backend: Backend) -> None:
        self.network = network
        self.backend = backend
        self.loss = CrossEntropyLoss(backend)
        self.workspace = Workspace(backend)

    def train(self, table: ImageTable, indices: Array, share: float) -> tuple[Array, Array, Array]:
        """Return the sub-batch's summed loss, how many it got right, and its gradient (valid until called again)."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # divergence is seen by its loss
            images, labels = table.batch(indices, self.workspace)
            logits = self.network.forward(images)
            losses = self.loss.forward(logits, labels)
            correct = (logits.argmax(axis=1) == labels).sum()
            self.network.backward(self.loss.backward(share))
            return losses.sum(dtype=np.float64), correct, self.network.gradient

    def score(self, table: ImageTable, indices: Array) -> tuple[Array, Array, Array, Array]:
        """Return each image's loss, label, predicted class and that class's probability."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            images, labels = table.batch(indices, self.workspace)
            logits = self.network.forward(images)
            losses = self.loss.forward(logits, labels)
            return losses, labels, logits.argmax(axis=1), self.loss.probabilities.max(axis=1)
