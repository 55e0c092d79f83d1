"""This project: its engine, its tables and its optimizer, put together as its trainer does."""

from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_info

from benchmarks.contenders.base import Contender, Indices
from benchmarks.problem import Arrays, Problem
from benchmarks.setting import CLASSES, SHAPE, wide_layers
from lenet.arrays.backend import Backend, BackendSettings
from lenet.data.loader import ImageTable
from lenet.losses import CrossEntropy
from lenet.network import Network
from lenet.optimizers import Momentum
from lenet.training.engine import Engine


class LeNetNumpy(Contender):
    """This project on `threads` processes."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._open = ExitStack()

    def open(self, problem: Problem) -> None:
        self._open.close()
        backend = self.backend()
        self.network = Network(wide_layers(problem.width), SHAPE, CLASSES, backend)
        parts = {
            "train": (problem.images, problem.labels),
            "test": (problem.test_images, problem.test_labels),
        }
        tables = {name: ImageTable(*part, problem.shift, problem.scale, backend) for name, part in parts.items()}
        self.engine = self._open.enter_context(Engine(self.network, tables, CrossEntropy(), backend))
        super().open(problem)

    def backend(self) -> Backend:
        """Return what to compute on."""
        return BackendSettings("numpy", "float32", self.threads).open()

    def on_device(self, indices: Indices) -> Any:
        """Return a batch's indices where the computation is."""
        return indices

    def start(self) -> None:
        self.steps = 0
        for name, weight in self.network.views(self.network.theta).items():
            weight[...] = self.engine.backend.array(self.problem.weights[name])
        self.optimizer = Momentum(self.problem.lr, self.problem.momentum)
        self.optimizer.bind(self.network.theta, self.network.decays, self.network.backend)

    def step(self, indices: Indices) -> None:
        _, gradient = self.engine.gradient("train", self.on_device(indices))
        self.optimizer.step(self.network.theta, gradient, self.problem.lr, self.steps)
        self.steps += 1

    def gradient(self, indices: Indices) -> tuple[float, Arrays]:
        means, gradient = self.engine.gradient("train", self.on_device(indices))
        return float(means[0]), self._copies(gradient)

    def weights(self) -> Arrays:
        return self._copies(self.network.theta)

    def predict(self, batch: int) -> npt.NDArray[np.integer[Any]]:
        return self.engine.score("test").predictions  # in sub-batches of the engine's own

    def versions(self) -> dict[str, str]:
        blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
        library = next((library for library in blas if "numpy" in library["filepath"]), blas[0])
        kernel = f"{library['internal_api']} {library['version']}, kernel {library.get('architecture')}"
        return {"NumPy": np.__version__, "BLAS": kernel}

    def _copies(self, vector: Any) -> Arrays:
        views = self.network.views(self.engine.backend.to_host(vector))
        return {name: view.copy(order="C") for name, view in views.items()}
