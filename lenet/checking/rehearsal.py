"""Layers called as a run calls them: in its dtype and on its backend, in training and in evaluation."""

import numpy as np

from lenet.arrays.backend import Array, Backend
from lenet.checking.layers import LayerFault, backward, forward
from lenet.layers.base import Layer, Shape
from lenet.network import Network


def rehearse(network: Network, x: Array, generator: np.random.Generator) -> dict[str, str]:
    """Return what is wrong with layers, by their names, as a batch `x` of images goes through the network.

    The layer above one at fault is given random numbers.
    """
    twin, backend = network.replica(to_images=True), network.backend
    twin.now.batch = len(x)
    faults: dict[str, str] = {}
    for layer, summary in zip(twin.layers, twin.summaries, strict=True):
        noise = backend.array(generator.normal(size=(len(x), *summary.shape)), backend.dtype)
        try:
            x = _called(layer, x, summary.shape, backend.array(noise), backend)
        except LayerFault as fault:
            faults[layer.name] = str(fault)
            x = noise
    return faults


def _called(layer: Layer, x: Array, shape: Shape, dy: Array, backend: Backend) -> Array:
    """Return what a layer puts out in training, once it has been called there and back, and in evaluation."""
    layer.now.training = True
    y = backend.array(forward(layer, backend.array(x), shape))  # a copy: `backward` may write over the layer's buffer
    backward(layer, dy, x.shape)
    layer.now.training = False
    forward(layer, backend.array(x), shape)
    return y
