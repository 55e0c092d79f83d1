"""A chain of named layers over one flat vector of parameters and one of gradients."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lenet.arrays.backend import Array, Backend
from lenet.arrays.draws import Pass
from lenet.initializers import INITIALIZERS, Initializer
from lenet.layers import answers
from lenet.layers.base import Layer, ParameterSpec, Shape, ShapeError

MAX_PARAMETERS = 2**28
"""More than a checkpoint could hold."""
MAX_OUTPUT = 2**31
"""Numbers that a layer may put out for one sample: 8 GB. What asks for more is a mistake, or made to do harm."""


@dataclass(frozen=True)
class LayerSummary:
    """One line of the layer table: the output's shape for one sample, and what the layer costs.

    `operations` are floating-point operations as `Layer.operations` counts them; None where the layer does not tell.
    """

    name: str
    kind: str
    shape: Shape
    parameters: int
    multiply_accumulates: int
    operations: int | None


class Network:
    """Layers in a row. `theta` holds every parameter and `gradient` its gradient; layers work on views of them.

    The first `trained` elements are an optimizer's to train; running averages follow them.

    `input_shape` is one image's `(C, H, W)`; the last layer's output must be one logit for each of `classes`.
    Raises `ShapeError` (a `UserError`) naming the layer and both shapes where they do not fit, or what is too large,
    before memory is taken; `UserError` for what else a layer raises.
    """

    def __init__(self, layers: Sequence[Layer], input_shape: Shape, classes: int, backend: Backend) -> None:
        self.layers = name_layers(layers)
        self.input_shape = input_shape
        self.classes = classes
        self.backend = backend
        specs: dict[str, ParameterSpec] = {}
        self.summaries: list[LayerSummary] = []
        shape = input_shape
        for layer in self.layers:
            before, shape = shape, answers.output_shape(layer, shape)
            own = answers.parameter_specs(layer)
            specs |= {f"{layer.name}/{name}": spec for name, spec in own.items()}
            size = sum(spec.size for spec in own.values() if spec.momentum is None)
            if math.prod(shape) > MAX_OUTPUT or size + sum(each.parameters for each in self.summaries) > MAX_PARAMETERS:
                raise ShapeError(
                    f"layer `{layer.name}` takes {size:,} parameters and puts out shape {shape}; accepted: at most "
                    f"{MAX_PARAMETERS:,} parameters in all and {MAX_OUTPUT:,} numbers a sample."
                )
            self.summaries.append(
                LayerSummary(
                    layer.name,
                    type(layer).__name__,
                    shape,
                    size,
                    answers.multiply_accumulates(layer),
                    answers.operations(layer, before),
                )
            )
        if shape != (classes,):
            raise ShapeError(
                f"layer `{self.layers[-1].name}` puts out shape {shape}, and the data's {classes} classes need "
                f"({classes},); write `features: classes` in the last layer to have it follow the data."
            )
        self.specs = dict(sorted(specs.items(), key=lambda item: item[1].momentum is not None))
        self.theta = backend.shared((self.size,))
        momenta = [np.full(spec.size, spec.momentum) for spec in self.specs.values() if spec.momentum is not None]
        self._momenta = backend.array(np.concatenate(momenta), backend.dtype) if momenta else None
        self._away = backend.zeros(self.size - self.trained)
        self._bind()

    @property
    def size(self) -> int:
        """The number of parameters and running averages."""
        return sum(spec.size for spec in self.specs.values())

    @property
    def trained(self) -> int:
        """The number of parameters."""
        return sum(spec.size for spec in self.specs.values() if spec.momentum is None)

    @property
    def decays(self) -> npt.NDArray[np.bool_]:
        """Which of the parameters are weights, `(trained,)`; the others, like biases, are exempt from weight decay."""
        trained = [spec for spec in self.specs.values() if spec.momentum is None]
        return np.repeat([spec.fans is not None for spec in trained], [spec.size for spec in trained])

    def views(self, flat: Array) -> dict[str, Array]:
        """Return a vector like `theta`, or like its trained part, as views by parameter name in logical shapes."""
        views, start = {}, 0
        for name, spec in self.specs.items():
            if start == len(flat):
                break
            views[name] = spec.view(flat[start : start + spec.size])
            start += spec.size
        return views

    def average(self, gradient: Array) -> None:
        """Move the running averages towards what stands for them in a batch's `gradient`."""
        if self._momenta is not None:
            averages, away = self.theta[self.trained :], self._away
            self.backend.xp.subtract(gradient[self.trained :], averages, out=away)
            away *= self._momenta
            averages += away

    def initialize(self, initializer: Initializer, generator: np.random.Generator) -> None:
        """Draw the weights on the CPU, layer by layer in the order of the network; all else starts as it says."""
        draw = INITIALIZERS[initializer]
        parameters = self.views(self.theta)
        for name, spec in self.specs.items():
            if spec.fans is not None:
                values = draw(spec.shape, *spec.fans, generator)
                parameters[name][...] = self.backend.array(values, self.backend.dtype)
            else:
                parameters[name][...] = spec.initial

    def replica(self, to_images: bool = False) -> "Network":
        """Return a network that shares `theta` and has gradients and buffers of its own, for another computation.

        With `to_images` its `backward` goes on to the images, though training has no use for their gradient.
        """
        twin = copy.copy(self)
        twin.layers = [copy.copy(layer) for layer in self.layers]
        twin._bind(to_images)
        return twin

    def forward(self, x: Array) -> Array:
        """Return the logits `(N, K)` of images `(N, C, H, W)`."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy: Array) -> Array | None:
        """Write into `gradient` what the last `forward`'s logits' gradient `dy` `(N, K)` makes of it.

        Returns the images' gradient of a `replica` that goes `to_images`, else None.
        """
        for layer in reversed(self.layers):
            below = layer.backward(dy)
            if not layer.needs_input_gradient:
                return None
            dy = below
        return dy

    def _bind(self, below: bool = False) -> None:
        """Give every layer its views of `theta` and of a fresh `gradient`.

        `below` says whether the gradient must reach what is below a layer, at first the images.
        """
        self.now = Pass()
        self.gradient = self.backend.zeros(self.size)
        parameters, gradients = self.views(self.theta), self.views(self.gradient)
        previous: Layer | None = None
        for layer in self.layers:
            names = layer.parameter_specs()
            layer.now = self.now
            layer.needs_input_gradient = below
            layer.overwrites_input = previous is not None and not previous.keeps_output
            answers.ask(
                layer,
                "bind",
                self.backend,
                {name: parameters[f"{layer.name}/{name}"] for name in names},
                {name: gradients[f"{layer.name}/{name}"] for name in names},
            )
            below = below or bool(names)
            previous = layer


def name_layers(layers: Sequence[Layer]) -> list[Layer]:
    """Return copies of the layers, those without a name called after their class and its count: `conv2d1`, …"""
    taken: dict[str, int] = {}
    named: list[Layer] = []
    for index, layer in enumerate(layers):
        layer = copy.copy(layer)
        if not layer.name:
            kind = type(layer).__name__.lower()
            taken[kind] = taken.get(kind, 0) + 1
            layer.name = f"{kind}{taken[kind]}"
        if any(layer.name == other.name for other in named):
            raise ShapeError(f"network.layers[{index}]: the name `{layer.name}` is taken; names must differ.")
        named.append(layer)
    return named
