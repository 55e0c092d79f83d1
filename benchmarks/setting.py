"""The project's default network and data, as a problem for all contenders."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from benchmarks.problem import Arrays, Problem
from lenet.arrays.backend import BackendSettings
from lenet.common.random import stream
from lenet.configuration.build import NetworkSettings, build
from lenet.configuration.config import compose_config
from lenet.data import Dataset, Mnist, Mnist5k, scaling
from lenet.errors import UserError
from lenet.layers import Conv2d, Layer, Linear
from lenet.network import LayerSummary, Network

SHAPE, CLASSES = (1, 28, 28), 10


def wide_layers(width: int = 1) -> list[Layer]:
    """Return the default network's layers with `width` times their channels and hidden features."""
    layers = _settings().layers(CLASSES)
    for layer in layers[:-1]:
        if isinstance(layer, Conv2d):
            layer.channels *= width
        elif isinstance(layer, Linear):
            layer.features *= width
    return layers


def summaries(width: int = 1) -> list[LayerSummary]:
    """Return what each layer of the network costs for one sample."""
    return _network(width).summaries


def initial_weights(width: int = 1) -> Arrays:
    """Return the weights that the defaults start from at seed 0."""
    network = _network(width)
    network.initialize(_settings().initializer, stream(0, "init"))
    return {name: weight.copy(order="C") for name, weight in network.views(network.theta).items()}


def load_data() -> Dataset:
    """Return full MNIST where `$LENET_DATA` has it, else the digits that come with the install."""
    if root := os.environ.get("LENET_DATA"):
        try:
            return Mnist(root=Path(root)).load(seed=0)
        except UserError as missing:
            print(f"LENET_DATA={root} has no full MNIST: {str(missing).splitlines()[0]}")
    return Mnist5k().load(seed=0)


def make_problem(data: Dataset, size: int | None = None) -> Problem:
    """Return the default problem on the first `size` training images, or on all."""
    shift, scale = scaling("standard", data.train_images)
    parts = data.train_images[:size], data.train_labels[:size], data.test_images, data.test_labels
    return Problem(*parts, shift, scale, initial_weights())


def widened(problem: Problem, width: int) -> Problem:
    """Return the problem with a network `width` times as wide."""
    return replace(problem, width=width, weights=initial_weights(width))


@cache
def _settings() -> NetworkSettings:
    return build(compose_config()).network


def _network(width: int) -> Network:
    backend = BackendSettings("numpy", "float32", threads=1).open()
    return Network(wide_layers(width), SHAPE, CLASSES, backend)
