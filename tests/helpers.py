"""What several tests share: backends, networks around one layer, and finite differences."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lenet.backend import Backend, BackendSettings
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


def finite_difference(function: Callable[[], float], array: Floats, step: float = 1e-6) -> Floats:
    """Return the gradient of `function` with respect to `array`, by central differences, changing it in place."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        before = array[index]
        array[index] = before + step
        above = function()
        array[index] = before - step
        below = function()
        array[index] = before
        gradient[index] = (above - below) / (2 * step)
    return gradient


def assert_gradients_agree(layer: Layer, x: Floats, seed: int = 1) -> None:
    """Check `backward` against finite differences of a random projection of the output."""
    weights = np.random.default_rng(seed).normal(size=layer.forward(x).shape)

    def projection() -> float:
        return float((layer.forward(x) * weights).sum())

    expected = {name: finite_difference(projection, layer.parameters[name]) for name in layer.parameters}
    expected_dx = finite_difference(projection, x)
    layer.forward(x)
    dx = layer.backward(weights)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-6, atol=1e-7)
    for name, gradient in expected.items():
        np.testing.assert_allclose(layer.gradients[name], gradient, rtol=1e-6, atol=1e-7)
