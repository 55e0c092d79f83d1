"""A step's computation, cut into sub-batches: the same bits for every number of workers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Workspace
from lenet.data.augmentation import Distortion
from lenet.data.loader import ImageTable
from lenet.losses import Loss
from lenet.network import Network
from lenet.training.crew import Crew, Order
from lenet.training.curvature import curvature

TRAIN, SCORE = range(2)
"""What an order may ask for."""

LONGEST_DRAW = 1024
"""Images that can be asked for at once of a table that has fewer: a draw with replacement may be longer than it."""

LANES = 16
"""Sums that gradients are added up in. Sub-batch `i` belongs to lane `i % LANES`; a lane is one worker's, and is summed
in order, as are the lanes at the end, so that the order of all additions is the same for any number of workers."""


@dataclass(frozen=True)
class Scores:
    """What a network makes of images, on the host: loss, label, predicted class and its probability, each `(N,)`."""

    losses: npt.NDArray[np.floating[Any]]
    labels: npt.NDArray[np.integer[Any]]
    predictions: npt.NDArray[np.integer[Any]]
    probabilities: npt.NDArray[np.floating[Any]]

    def summary(self, name: str) -> dict[str, float]:
        """Return the mean loss and the accuracy as metrics `name/loss` and `name/accuracy`."""
        accuracy = float((self.predictions == self.labels).mean())
        return {f"{name}/loss": float(self.losses.mean(dtype=np.float64)), f"{name}/accuracy": accuracy}

    def confusion(self, classes: int) -> npt.NDArray[np.intp]:
        """Return how often each class (row) was taken for each (column), `(classes, classes)`."""
        pairs = self.labels * classes + self.predictions
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


class Engine:
    """Computes gradients of a network and scores images with it, on as many processes as the backend has threads.

    `tables` are the images that can be asked for, by name: the workers are forked with them. A context manager:
    entering it starts the workers and keeps the BLAS to one thread each, leaving it ends them. What is drawn at random
    follows from `seed`. Images are distorted for training if there is a `distortion`, and never to be scored.
    """

    def __init__(
        self,
        network: Network,
        tables: Mapping[str, ImageTable],
        loss: Loss,
        backend: Backend,
        seed: int = 0,
        distortion: Distortion | None = None,
    ) -> None:
        self.network = network
        self.tables = tables
        self._by_number = list(tables.values())
        self._numbers = {name: number for number, name in enumerate(tables)}
        self.backend = backend
        most = max(LONGEST_DRAW, *map(len, tables.values()))
        self._indices = backend.shared((most,), np.intp)
        self._lanes = backend.shared((LANES, network.size))
        self._sums = backend.shared((2, LANES), np.float64)  # of losses, and of right answers
        self._means = backend.zeros(2, np.float64)
        self._part = backend.zeros(2, np.float64)
        self._scores = tuple(backend.shared((most,), dtype) for dtype in (backend.dtype, np.intp, backend.dtype))
        self._replica = network.replica()
        self._replica.now.seed = seed
        self._distortion = distortion
        self.loss = loss
        loss.bind(backend)
        self._workspace = Workspace(backend)
        self._workers = min(backend.threads, LANES)  # more would have nothing to do

    def __enter__(self) -> Self:
        self._blas = self.backend.limit_blas()
        self._crew = Crew(self._workers, self._work)
        return self

    def __exit__(self, *error: object) -> None:
        self._crew.dismiss()
        self._blas.restore_original_limits()

    def gradient(self, table: str, indices: Array, step: int = 0) -> tuple[Array, Array]:
        """Return the mean loss and the accuracy of a batch, `(2,)`, and that loss's gradient, a vector like `theta`.

        Both are buffers, which hold until the engine is asked again. `step` is the training step's number, on which
        what is drawn at random depends.
        """
        batch = len(indices)
        parts = self._give_out(TRAIN, table, indices, step)
        if parts == 1:
            return self.backend.xp.divide(self._sums[:, 0], batch, out=self._means), self._replica.gradient
        lanes = min(parts, LANES)
        total = self._lanes[0]
        for lane in range(1, lanes):
            total += self._lanes[lane]
        self._sums[:, :lanes].sum(axis=1, out=self._means)
        self._means /= batch
        return self._means, total

    def curvature(self, table: str, indices: Array) -> Array:
        """Return the mean of the loss's curvature over images, a vector like `theta`, computed by this process alone.

        See `lenet.training.curvature`; raises `UserError` for layers or losses that do not say theirs.
        """
        total = self.backend.zeros(self.network.size)
        size = self.backend.sub_batch or len(indices)
        for start in range(0, len(indices), size):
            images, labels = self.tables[table].batch(indices[start : start + size], self._workspace)
            with np.errstate(over="ignore", invalid="ignore"):  # divergence is seen by what is not finite
                total += curvature(self.network, self.loss, images, labels)
        total /= len(indices)
        return total

    def score(self, table: str, indices: Array | None = None) -> Scores:
        """Return what the network makes of the table's images at `indices`, or of all."""
        labels, found = self._score_all(table, indices)
        losses, predictions, probabilities = (self.backend.to_host(scores.copy()) for scores in found)
        return Scores(losses, self.backend.to_host(labels), predictions, probabilities)

    def measure(self, table: str, indices: Array | None = None) -> tuple[float, float]:
        """Return the mean loss and the accuracy on the table's images at `indices`, or on all: all that is read."""
        labels, (losses, predictions, _) = self._score_all(table, indices)
        losses.mean(dtype=np.float64, out=self._means[0, ...])
        (predictions == labels).mean(out=self._means[1, ...])
        loss, accuracy = self._means.tolist()
        return loss, accuracy

    def _score_all(self, table: str, indices: Array | None) -> tuple[Array, list[Array]]:
        """Return the labels at `indices`, and their images' losses, predictions and probabilities, in buffers."""
        if indices is None:
            indices = self.backend.xp.arange(len(self.tables[table]))
        self._give_out(SCORE, table, indices)
        return self.tables[table].labels[indices], [scores[: len(indices)] for scores in self._scores]

    def _give_out(self, kind: int, table: str, indices: Array, step: int = 0) -> int:
        """Have the images at `indices` worked on, alone if they are one sub-batch; return the number of sub-batches."""
        batch = len(indices)
        self._indices[:batch] = indices
        order = kind, self._numbers[table], batch, step
        parts = -(-batch // (self.backend.sub_batch or batch))
        if parts == 1:
            self._work(0, order)
        else:
            self._crew.do(order)
        return parts

    def _work(self, member: int, order: Order) -> None:
        """Do a member's share of an order: every sub-batch of the lanes that are its own."""
        kind, number, batch, step = order
        table, size = self._by_number[number], self.backend.sub_batch or batch
        now = self._replica.now
        now.training, now.step, now.batch = kind == TRAIN, step, batch
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # divergence is seen by its loss
            for part, start in enumerate(range(0, batch, size)):
                if part % LANES % self._workers != member:
                    continue
                piece = slice(start, min(start + size, batch))
                now.position = start
                if kind == TRAIN:
                    self._train(table, piece, batch, part)
                else:
                    self._score(table, piece)

    def _train(self, table: ImageTable, piece: slice, batch: int, part: int) -> None:
        """Add a sub-batch's summed loss, right answers and gradient to its lane."""
        images, labels = table.batch(self._indices[piece], self._workspace, self._distortion, self._replica.now)
        logits = self._replica.forward(images)
        lane, adds = part % LANES, part >= LANES
        sums = self._part if adds else self._sums[:, lane]
        self.loss.forward(logits, labels).sum(dtype=np.float64, out=sums[0, ...])
        best = logits.argmax(axis=1, out=self._workspace.array("best", labels.shape, np.intp))
        right = self.backend.xp.equal(best, labels, out=self._workspace.array("right", labels.shape, bool))
        right.sum(dtype=np.float64, out=sums[1, ...])
        self._replica.backward(self.loss.backward(1 / batch))
        if adds:
            lane_sums, lane_gradient = self._sums[:, lane], self._lanes[lane]
            lane_sums += sums
            lane_gradient += self._replica.gradient
        elif piece.stop - piece.start < batch:  # a batch in one piece is read from the replica itself
            self._lanes[lane] = self._replica.gradient

    def _score(self, table: ImageTable, piece: slice) -> None:
        """Write each image's loss, predicted class and that class's probability to their places."""
        images, labels = table.batch(self._indices[piece], self._workspace)
        logits = self._replica.forward(images)
        losses, predictions, probabilities = self._scores
        losses[piece] = self.loss.forward(logits, labels)
        predictions[piece] = logits.argmax(axis=1)
        probabilities[piece] = self.loss.probabilities.max(axis=1)
