"""The training loop: one batch after another, one epoch after another, one record each."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from lenet.arrays.backend import Array, Backend
from lenet.common.random import stream
from lenet.data.samplers import Sampler
from lenet.network import Network
from lenet.optimizers.base import Optimizer, vectors_of
from lenet.schedules import Clock, Schedule
from lenet.training import curvature
from lenet.training.engine import Engine

Record = dict[str, float]
"""What one epoch measured, by metric name."""


@dataclass
class Progress:
    """Where training stands: everything but the weights and the optimizer's vectors.

    `epoch` counts the finished epochs and `step` all steps; `sums`, an array `(2,)` on the device, adds up the mean
    loss and the accuracy of each batch of the epoch under way, whose steps took `seconds`.
    """

    sums: Array
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    history: list[Record] = field(default_factory=list)


@dataclass(frozen=True)
class EpochStart:
    """What training can fall back to: the number of finished epochs, and copies of all vectors from then."""

    epoch: int
    vectors: dict[str, Array]


OnStep = Callable[[Progress], None]
AfterStep = Callable[[int, float, float], bool]
"""Told after each step how many were taken, at what rate and with what loss; says whether training has diverged."""


class Trainer:
    """Trains a network for some epochs.

    Everything random follows from `seed`. `validate` scores the network after each epoch. A loss that is not finite, or
    an epoch's mean training loss above 10 · ln(classes), ends training: `diverged` is then true, the last record holds
    what was measured, and weights, optimizer and `progress` are those of the last finite state.

    Training goes on from wherever `progress` says it is, also within an epoch: `epoch_start` is then the state from
    which that epoch began. `at_rest` is false while vectors and `progress` may not agree.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        optimizer: Optimizer,
        schedule: Schedule,
        sampler: Sampler,
        epochs: int,
        seed: int,
        validate: Callable[[int], Record],
    ) -> None:
        self.engine = engine
        self.network: Network = engine.network
        self.backend: Backend = engine.backend
        self.optimizer = optimizer
        self.schedule = schedule
        self.sampler = sampler
        self.epochs = epochs
        self.seed = seed
        self.images = len(engine.tables["train"])
        self.validate = validate
        self.progress = Progress(self.backend.zeros(2, np.float64))
        self.diverged = False
        self.at_rest = True
        self._trained = self.network.theta[: self.network.trained]
        if optimizer.curvature_images:
            curvature.check(self.network)
        optimizer.bind(self._trained, self.network.decays, self.backend)
        self.epoch_start = self._copy()

    def train(self, on_step: OnStep, after_step: AfterStep | None = None) -> Iterator[Record]:
        """Run the epochs that are left, and yield each one's record.

        `on_step` is called before every step and may raise to stop training between two steps. `after_step`, where
        there is one, ends it like divergence between two steps, with the state from before the epoch; it makes the host
        wait for every step's loss.
        """
        while self.progress.epoch < self.epochs and not self.diverged:
            if self.progress.step == self.first_step(self.progress.epoch):
                self.epoch_start = self._copy()
            record = self._run_epoch(on_step, after_step)
            self.at_rest = False
            loss = record["train/loss"]
            whole = not self.diverged
            self.diverged |= not loss <= self.engine.loss.limit(self.network.classes)
            if whole and math.isfinite(loss) and self.is_finite():
                self.progress.history.append(record)
                self.progress.epoch += 1
            else:
                self.diverged = True
                self.progress.step = self.first_step(self.progress.epoch)
                for name, vector in self.vectors().items():
                    vector[...] = self.epoch_start.vectors[name]
            self.progress.sums.fill(0)
            self.progress.seconds = 0.0
            self.at_rest = True
            yield record

    def _run_epoch(self, on_step: OnStep, after_step: AfterStep | None) -> Record:
        """Take the steps that are left of an epoch, or those until `after_step` ends it, and return its record."""
        progress, batch = self.progress, self.sampler.batch
        first = self.first_step(progress.epoch)
        order = self.backend.array(self.sampler.order(self.images, stream(self.seed, "shuffle", progress.epoch)))
        started = time.perf_counter() - progress.seconds
        for start in range((progress.step - first) * batch, len(order), batch):
            progress.seconds = time.perf_counter() - started
            on_step(progress)
            if progress.step == first:
                self._take_curvature()
            rate = self._rate(progress.step)
            means, gradient = self.engine.gradient("train", order[start : start + batch], progress.step)
            self.at_rest = False
            with np.errstate(over="ignore", invalid="ignore"):  # divergence is seen by its loss
                self.network.average(gradient)
                self.optimizer.step(self._trained, gradient[: len(self._trained)], rate, progress.step)
            progress.step += 1
            progress.sums += means
            self.at_rest = True
            if after_step and after_step(progress.step, rate, float(means[0])):
                self.diverged = True
                break
        taken = progress.step - first
        loss, accuracy = progress.sums.tolist()  # here the host waits for the epoch's last step
        record = {"train/loss": loss / taken, "train/accuracy": accuracy / taken}
        progress.seconds = time.perf_counter() - started
        record |= self.validate(progress.epoch)
        rates = {"lr": self._rate(progress.step - 1)}
        return record | rates | {"samples_per_second": min(taken * batch, len(order)) / progress.seconds}

    def _take_curvature(self) -> None:
        """Tell an optimizer that asks for it how curved the loss is, on images drawn anew for each epoch.

        It follows from the weights and the epoch, so what starts or resumes here finds the same. `epoch_start` is from
        before: a curvature that is not finite is part of the epoch that it makes diverge.
        """
        if self.optimizer.curvature_images:
            self.at_rest = False
            draw = stream(self.seed, "curvature", self.progress.epoch)
            drawn = draw.integers(self.images, size=self.optimizer.curvature_images)
            self.optimizer.take_curvature(self.engine.curvature("train", self.backend.array(drawn)))

    def _rate(self, step: int) -> float:
        """Return the learning rate of the step that follows `step` others."""
        clock = Clock(step, self.steps_per_epoch, self.epochs)
        return self.optimizer.lr * self.schedule(clock, self.progress.history)

    def first_step(self, epoch: int) -> int:
        """Return how many steps are taken before the epoch that follows `epoch` others."""
        return epoch * self.steps_per_epoch

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps in an epoch."""
        return self.sampler.steps(self.images)

    def vectors(self) -> dict[str, Array]:
        """Return the flat vectors that training changes, by the names they have in a checkpoint: `param`, ….

        Raises `UserError` where an optimizer's state is none.
        """
        return {"param": self.network.theta, **vectors_of(self.optimizer, self._trained)}

    def is_finite(self) -> bool:
        """Say whether every number in all vectors is finite."""
        return all(bool(self.backend.xp.isfinite(vector).all()) for vector in self.vectors().values())

    def _copy(self) -> EpochStart:
        return EpochStart(self.progress.epoch, {name: vector.copy() for name, vector in self.vectors().items()})
