"""How curved the loss is in each parameter alone: what the step sizes of the published LeNet-5 follow from.

LeCun et al. 1998, appendix C: second derivatives are propagated backwards like first ones, with squared weights,
squared inputs and squared slopes, and without the second derivatives of squashing functions (Gauss-Newton), so that
none is negative. For a weight that several connections share it is the sum over these.
"""

import copy
from functools import singledispatch

from lenet.arrays.backend import Array
from lenet.errors import UserError
from lenet.layers import RBF, AvgPool2d, Conv2d, Flatten, Layer, Linear, MaxPool2d, Pad2d, Subsample2d
from lenet.layers.activation import Activation
from lenet.losses import Loss
from lenet.network import Network


def curvature(network: Network, loss: Loss, images: Array, labels: Array) -> Array:
    """Return the sum over images `(N, C, H, W)` of the curvatures, a vector like `theta`.

    The layers must be such as `check` accepts; raises `UserError` for a loss that does not say its own.
    """
    network = network.replica()
    squares = network.views(network.theta * network.theta)
    inputs, x = [], images
    for layer in network.layers:
        inputs.append(x.copy(order="K"))
        x = layer.forward(x)
    loss.forward(x, labels)
    curved = loss.curvature()
    slopes = loss.backward(1.0)
    for layer, x in zip(reversed(network.layers), reversed(inputs), strict=True):
        if isinstance(layer, RBF):
            curved = _of_distances(layer, x, curved, slopes)
            continue
        names = layer.parameter_specs()
        curved = _backward(layer, x, curved, {name: squares[f"{layer.name}/{name}"] for name in names})
        if not layer.needs_input_gradient:
            break
    return network.gradient


def check(network: Network) -> None:
    """Raise `UserError` for a layer that does not say its curvature."""
    for layer in network.layers:
        known = _backward.dispatch(type(layer)) is not _backward.dispatch(Layer)
        if not known and not (isinstance(layer, RBF) and layer is network.layers[-1]):
            raise UserError(
                f"layer `{layer.name}` ({type(layer).__name__}) has no curvature, which this optimizer needs; accepted "
                "are convolutions, full connections, pooling, padding, activations, and RBF as the last layer."
            )


@singledispatch
def _backward(layer: Layer, x: Array, curved: Array, squares: dict[str, Array]) -> Array:
    """Write a layer's curvatures where its gradients go, and return those of its input `x`.

    `curved` are those of its output, and `squares` its parameters, squared.
    """
    raise NotImplementedError


@_backward.register(Conv2d)
@_backward.register(Linear)
@_backward.register(Subsample2d)
def _of_weights(layer: Conv2d | Linear | Subsample2d, x: Array, curved: Array, squares: dict[str, Array]) -> Array:
    """As first derivatives are, with inputs and weights squared."""
    twin = copy.copy(layer)
    twin.bind(layer.backend, squares, layer.gradients)
    twin.forward(x * x)
    return twin.backward(curved)


@_backward.register
def _of_squashing(layer: Activation, x: Array, curved: Array, squares: dict[str, Array]) -> Array:
    slopes = layer.backward(layer.backend.xp.ones_like(curved))
    return curved * slopes * slopes


@_backward.register
def _of_means(layer: AvgPool2d, x: Array, curved: Array, squares: dict[str, Array]) -> Array:
    height, width = layer.kernel_size
    return layer.backward(curved) / (height * width)


@_backward.register(MaxPool2d)
@_backward.register(Flatten)
@_backward.register(Pad2d)
def _of_places(layer: MaxPool2d | Flatten | Pad2d, x: Array, curved: Array, squares: dict[str, Array]) -> Array:
    return layer.backward(curved)


def _of_distances(layer: RBF, x: Array, curved: Array, slopes: Array) -> Array:
    """Return the curvatures by `x` of outputs that are squares, which have a curvature of their own.

    `∂²E/∂x² = Σ_i curved_i · (2 (x - target_i))² - 2 Σ_i slopes_i`. The second term is at least 0, since the slopes of
    these losses add up to no more than that.
    """
    away = x[:, None, :] - layer.targets
    away *= 2
    away *= away
    by_x = (curved[:, :, None] * away).sum(axis=1)
    by_x -= 2 * slopes.sum(axis=1, keepdims=True)
    return by_x
