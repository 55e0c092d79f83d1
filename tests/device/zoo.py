"""What is computed on a device and on NumPy alike: every layer, loss and optimizer, each for some shapes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lenet.arrays.backend import Backend
from lenet.arrays.draws import Pass
from lenet.arrays.memory import Workspace
from lenet.data.augmentation import Augmentation, Distortion
from lenet.data.loader import ImageTable
from lenet.layers import (
    RBF,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    Pad2d,
    ReLU,
    ScaledTanh,
    Sigmoid,
    Subsample2d,
    TableConv2d,
    Tanh,
)
from lenet.layers.base import Shape
from lenet.losses import CrossEntropy, Loss, MaximumAPosteriori
from lenet.optimizers import SGD, Adam, AdamW, DiagonalLevenbergMarquardt, Momentum, Nesterov, Optimizer, RMSprop

IMAGES = (3, 9, 8)
LAYERS: dict[str, tuple[Layer, Shape]] = {
    "conv": (Conv2d(4, 3), IMAGES),
    "conv padded": (Conv2d(4, (3, 5), padding=(1, 2)), IMAGES),
    "conv strided": (Conv2d(4, (3, 2), stride=(2, 3), padding=1), IMAGES),
    "conv with wide padding": (Conv2d(2, 2, padding=(4, 3)), (1, 3, 4)),
    "conv whose stride skips pixels": (Conv2d(2, 2, stride=(4, 5)), (2, 5, 6)),
    "conv of one place": (Conv2d(5, (9, 8)), IMAGES),
    "average": (AvgPool2d(2), (3, 8, 6)),
    "average of 1×3": (AvgPool2d((1, 3)), (2, 4, 6)),
    "average, overlapping": (AvgPool2d(3, stride=2, padding=1), IMAGES),
    "average, leaving some out": (AvgPool2d(2), IMAGES),
    "maximum": (MaxPool2d(2), (3, 8, 6)),
    "maximum, overlapping": (MaxPool2d(3, stride=2, padding=1), IMAGES),
    "maximum, leaving some out": (MaxPool2d(2), IMAGES),
    "linear": (Linear(7), (11,)),
    "flatten": (Flatten(), IMAGES),
    "relu": (ReLU(), IMAGES),
    "tanh": (Tanh(), IMAGES),
    "scaled tanh": (ScaledTanh(), IMAGES),
    "sigmoid": (Sigmoid(), (11,)),
    "dropout": (Dropout(0.3, name="d"), IMAGES),
    "dropout of features": (Dropout(0.5, name="d"), (11,)),
    "batch norm": (BatchNorm(group=4), IMAGES),
    "batch norm of features": (BatchNorm(group=4), (11,)),
    "pad": (Pad2d((1, 2)), IMAGES),
    "subsample": (Subsample2d(2), (3, 8, 6)),
    "table": (TableConv2d(((0, 1), (2,), (0, 2)), 3), IMAGES),
    "rbf": (RBF(), (84,)),
}
LOSSES: dict[str, Loss] = {
    "cross-entropy": CrossEntropy(),
    "cross-entropy, smoothed": CrossEntropy(0.1),
    "maximum a posteriori": MaximumAPosteriori(1.5),
}
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(),
    "momentum": Momentum(weight_decay=0.01),
    "nesterov": Nesterov(clip_norm=0.5),
    "rmsprop": RMSprop(),
    "adam": Adam(weight_decay=0.01),
    "adamw": AdamW(weight_decay=0.01),
    "diagonal_lm": DiagonalLevenbergMarquardt(),
}
AUGMENTATIONS = {
    "shift": Augmentation(shift=2),
    "affine": Augmentation(shift=2, rotation=15, scale=0.15, shear=0.1),
    "elastic": Augmentation(rotation=10, elastic=0.6),
}

layers = pytest.mark.parametrize(("layer", "shape"), LAYERS.values(), ids=list(LAYERS))
losses = pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
optimizers = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=list(OPTIMIZERS))
augmentations = pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=list(AUGMENTATIONS))
batches = pytest.mark.parametrize("batch", [1, 6])


class Passes:
    """A layer that computes on a backend, from arrays drawn alike on each; what it returns lies on the host."""

    def __init__(self, layer: Layer, shape: Shape, batch: int, backend: Backend) -> None:
        self.layer, self.backend = layer, backend
        generator = np.random.default_rng(5)
        self.layer.name = layer.name or "layer"
        output = layer.setup(shape)
        specs = layer.parameter_specs()
        self.parameters = {name: self._vector(spec, 1 + generator.random(spec.size)) for name, spec in specs.items()}
        self.gradients = {name: self._vector(spec, np.zeros(spec.size)) for name, spec in specs.items()}
        layer.bind(backend, self.parameters, self.gradients)
        layer.now = Pass(training=True, seed=3, step=7, batch=batch, position=0)
        # Ties for the maximum, and both sides of zero.
        self.x = self._array(np.round(generator.normal(size=(batch, *shape)), 1))
        self.dy = self._array(generator.normal(size=(batch, *output)))
        self.given = self._array(np.zeros((batch, *output)))

    def _vector(self, spec: Any, values: np.ndarray) -> Any:
        return spec.view(self.backend.array(values, self.backend.dtype))

    def _array(self, values: np.ndarray) -> Any:
        return self.backend.array(values, self.backend.dtype)

    def run(self) -> tuple[Any, Any]:
        """Go forward and back once."""
        self.given[...] = self.dy
        return self.layer.forward(self.x), self.layer.backward(self.given)

    def results(self) -> dict[str, np.ndarray]:
        """Go forward and back twice, and return all that came of the second time."""
        self.run()
        y, dx = self.run()
        arrays = {"y": y, "dx": dx, **self.gradients}
        return {name: np.array(self.backend.to_host(array)) for name, array in arrays.items()}


def loss_and_gradient(loss: Loss, backend: Backend) -> Iterator[Any]:
    """Yield, for two batches, the losses, probabilities and gradient, on the device."""
    generator = np.random.default_rng(2)
    loss.bind(backend)
    for batch in (6, 3):
        logits = backend.array(10 * generator.normal(size=(batch, 5)), backend.dtype)
        labels = backend.array(generator.integers(0, 5, batch))
        yield loss.forward(logits, labels).copy()
        yield loss.probabilities.copy()
        yield loss.backward(1 / batch).copy()


class Descent:
    """An optimizer's steps on a backend."""

    def __init__(self, optimizer: Optimizer, backend: Backend) -> None:
        generator = np.random.default_rng(4)
        self.optimizer = optimizer
        self.theta = backend.array(generator.normal(size=40), backend.dtype)
        self.noise = backend.array(generator.normal(size=40), backend.dtype)
        self.gradient = backend.zeros(40)
        optimizer.bind(self.theta, np.arange(40) % 3 > 0, backend)
        if optimizer.curvature_images:
            optimizer.take_curvature(backend.array(generator.random(40), backend.dtype))
        self.number = 0

    def step(self) -> None:
        """Take a step."""
        self.gradient[...] = self.noise
        self.optimizer.step(self.theta, self.gradient, 0.05 / (1 + self.number), self.number)
        self.number += 1

    def vectors(self, backend: Backend) -> dict[str, np.ndarray]:
        """Return the parameters and the optimizer's state, on the host."""
        vectors = {"theta": self.theta, **self.optimizer.state}
        return {name: np.array(backend.to_host(vector)) for name, vector in vectors.items()}


class Distorted:
    """Batches of distorted images on a backend."""

    def __init__(self, augmentation: Augmentation, backend: Backend) -> None:
        generator = np.random.default_rng(6)
        images = generator.integers(0, 256, (20, 2, 12, 10), dtype=np.uint8)
        self.table = ImageTable(images, np.arange(20) % 3, 100.0, 50.0, backend)
        self.distortion = Distortion(augmentation, (2, 12, 10), backend)
        self.indices = backend.array(np.arange(19, 12, -1))
        self.workspace = Workspace(backend)

    def batch(self, step: int) -> tuple[Any, Any]:
        """Return the batch of a step and its labels."""
        return self.table.batch(self.indices, self.workspace, self.distortion, Pass(True, 1, step, 7, 0))
