"""What a contender can be asked, and how it is timed: the same loops for all."""

import itertools
import time
from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from benchmarks.problem import Arrays, Problem

Indices = npt.NDArray[np.intp]

WARM_UP = 0.2
"""Share of the measured time that is spent before it, so that caches are warm, threads awake and code compiled."""


class Contender(ABC):
    """Trains the problem's network by its own means. It lives in a process of its own."""

    problem: Problem

    def open(self, problem: Problem) -> None:
        """Take a problem: its data, its weights, and no velocity."""
        self.problem = problem
        self.start()

    @abstractmethod
    def start(self) -> None:
        """Start `self.problem` from its initial weights."""

    @abstractmethod
    def step(self, indices: Indices) -> None:
        """Gather a batch, and make a whole training step of it."""

    @abstractmethod
    def gradient(self, indices: Indices) -> tuple[float, Arrays]:
        """Return the mean loss of a batch and its gradients."""

    @abstractmethod
    def weights(self) -> Arrays:
        """Return the present weights."""

    @abstractmethod
    def predict(self, batch: int) -> npt.NDArray[np.integer]:
        """Return the classes found for all test images, scored `batch` at a time where it matters."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return what it runs on, by name: its library's version and, where it can be known, its kernels."""

    def wait(self) -> None:  # noqa: B027
        """Return when all work has been done; needed where `step` is asynchronous."""

    def throughput(self, batch: int, seconds: float) -> float:
        """Return the samples per second of training steps that take about `seconds`, from the initial weights."""
        self.start()
        order = np.random.default_rng(0).permutation(len(self.problem.images))
        starts = itertools.cycle(range(0, len(order) - batch + 1, batch))

        def steps(seconds: float) -> float:
            count, begun = 0, time.perf_counter()
            while count < 2 or time.perf_counter() - begun < seconds:
                start = next(starts)
                self.step(order[start : start + batch])
                count += 1
            self.wait()
            return count * batch / (time.perf_counter() - begun)

        steps(seconds * WARM_UP)
        return steps(seconds)

    def evaluation(self, batch: int, seconds: float) -> float:
        """Return the samples per second of scoring all test images again and again for about `seconds`."""
        self.predict(batch)
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            self.predict(batch)
            count += 1
        return count * len(self.problem.test_images) / (time.perf_counter() - begun)

    def train(self, order: Indices, batch: int) -> float:
        """Train once through `order` and return the seconds it took."""
        begun = time.perf_counter()
        for start in range(0, len(order), batch):
            self.step(order[start : start + batch])
        self.wait()
        return time.perf_counter() - begun

    def train_steps(self, batches: list[Indices]) -> Arrays:
        """Train on the batches from the initial weights and return where that leads."""
        self.start()
        for indices in batches:
            self.step(indices)
        return self.weights()

    def accuracy(self, batch: int) -> float:
        """Return the share of the test images that are recognised."""
        return float((self.predict(batch) == self.problem.test_labels).mean())
