"""What several tests share: backends, networks around one layer, and what checks their gradients."""

import numpy as np
from numpy.typing import NDArray

from lenet.arrays.backend import Backend, BackendSettings
from lenet.checking.layers import check_layer
from lenet.layers.base import Layer, Shape
from lenet.losses import CrossEntropy
from lenet.network import Network

Floats = NDArray[np.floating]


def backend(dtype: str = "float64", threads: int = 1) -> Backend:
    return BackendSettings("numpy", dtype, threads).open()


def bound(layer: Layer, shape: Shape, dtype: str = "float64", seed: int = 0) -> Layer:
    """Return the layer ready for samples of `shape`, its parameters (biases too) drawn at random."""
    output = layer.setup(shape)
    assert all(isinstance(size, int) for size in output)
    generator = np.random.default_rng(seed)
    parameters, gradients = {}, {}
    for name, spec in layer.parameter_specs().items():
        parameters[name] = spec.view(generator.normal(size=spec.size).astype(dtype))
        gradients[name] = spec.view(np.full(spec.size, np.nan, dtype))
    layer.bind(backend(dtype), parameters, gradients)
    return layer


def network(layers: list[Layer], shape: Shape, classes: int = 10, dtype: str = "float64", seed: int = 0) -> Network:
    net = Network(layers, shape, classes, backend(dtype))
    net.initialize("lecun_normal", np.random.default_rng(seed))
    return net


def cross_entropy(on: Backend, smoothing: float = 0.0) -> CrossEntropy:
    """Return the loss, ready to compute on a backend."""
    loss = CrossEntropy(smoothing)
    loss.bind(on)
    return loss


def assert_gradients_agree(layer: Layer, x: Floats, seed: int = 1) -> None:
    """Check `backward`, at every element, against finite differences of a random projection of the output."""
    every = x.size + sum(parameter.size for parameter in layer.parameters.values())
    found = check_layer(layer, x, layer.setup(x.shape[1:]), np.random.default_rng(seed), singles=every)
    assert {name: each for name, each in found.items() if each.error > 1e-6} == {}
