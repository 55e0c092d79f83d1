"""The training loop: one batch after another, one epoch after another, one record each."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from lenet.backend import Array, Backend
from lenet.data.samplers import Sampler
from lenet.network import Network
from lenet.optimizers import Optimizer
from lenet.random import stream
from lenet.schedules import Clock, Schedule
from lenet.training.engine import Engine

Record = dict[str, float]
"""What one epoch measured, by metric name."""


@dataclass
class Progress:
    """Where training stands: everything but the weights and the optimizer's vectors.

    `epoch` counts the finished epochs and `step` all steps; `loss` and `accuracy` sum the batch means of the epoch
    under way.
    """

    epoch: int = 0
    step: int = 0
    loss: float | Array = 0.0
    accuracy: float | Array = 0.0
    history: list[Record] = field(default_factory=list)


AfterStep = Callable[[int, float, float], bool]
"""Told after each step how many were taken, at what rate and with what loss; says whether training has diverged."""


class Trainer:
    """Trains a network for some epochs. Iterating over a trainer runs them and yields each one's record.

    Everything random follows from `seed`. `validate` scores the network after each epoch; `on_step` is called before
    every step and may raise to stop training between two steps. A loss that is not finite, or an epoch's mean
    training loss above 10 · ln(classes), ends training: `diverged` is then true, the last record holds what was
    measured, and weights, optimizer and `progress` are those of the last finite state. `after_step`, where there is
    one, ends it likewise between two steps, with the state from before the epoch; it makes the host wait for every
    step's loss.
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
        on_step: Callable[[Progress], None],
        after_step: AfterStep | None = None,
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
        self.on_step = on_step
        self.after_step = after_step
        self.progress = Progress()
        self.diverged = False
        optimizer.bind(self.network.theta, self.network.decays, self.backend)

    def __iter__(self) -> Iterator[Record]:
        while self.progress.epoch < self.epochs and not self.diverged:
            finite = [vector.copy() for vector in self._vectors()]
            step = self.progress.step
            record = self._run_epoch()
            loss = record["train/loss"]
            whole = not self.diverged
            self.diverged |= not loss <= 10 * math.log(self.network.classes)
            if whole and math.isfinite(loss) and all(bool(self.backend.xp.isfinite(v).all()) for v in self._vectors()):
                self.progress.epoch += 1
                self.progress.history.append(record)
            else:
                self.diverged = True
                self.progress.step = step
                for vector, copy in zip(self._vectors(), finite, strict=True):
                    vector[...] = copy
            self.progress.loss = self.progress.accuracy = 0.0
            yield record

    def _run_epoch(self) -> Record:
        """Take the steps of one epoch, or those until `after_step` ends it, and return its record."""
        progress, batch = self.progress, self.sampler.batch
        steps, before = self.steps_per_epoch, self.progress.step
        order = self.backend.array(self.sampler.order(self.images, stream(self.seed, "shuffle", progress.epoch)))
        started = time.perf_counter()
        for start in range(0, len(order), batch):
            self.on_step(progress)
            clock = Clock(progress.step, steps, self.epochs)
            rate = self.optimizer.lr * self.schedule(clock, progress.history)
            loss, accuracy, gradient = self.engine.gradient("train", order[start : start + batch])
            with np.errstate(over="ignore", invalid="ignore"):  # divergence is seen by its loss
                self.optimizer.step(self.network.theta, gradient, rate, progress.step)
            progress.step += 1
            progress.loss += loss
            progress.accuracy += accuracy
            if self.after_step and self.after_step(progress.step, rate, float(loss)):
                self.diverged = True
                break
        taken = progress.step - before
        record = {
            "train/loss": float(progress.loss) / taken,
            "train/accuracy": float(progress.accuracy) / taken,
        }
        seconds = time.perf_counter() - started
        record |= self.validate(progress.epoch)
        return record | {"lr": rate, "samples_per_second": min(taken * batch, len(order)) / seconds}

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps in an epoch."""
        return self.sampler.steps(self.images)

    def _vectors(self) -> list[Array]:
        return [self.network.theta, *self.optimizer.state.values()]
