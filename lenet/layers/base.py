"""What every layer is: a forward pass, a backward pass, and named parameters with their gradients."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenet.arrays.backend import Array, Backend
from lenet.arrays.draws import Pass
from lenet.arrays.memory import Workspace
from lenet.errors import UserError

Shape = tuple[int, ...]
"""The shape of one sample: `(C, H, W)` or `(features,)`."""
Fan = int | npt.NDArray[np.integer[Any]]
"""Connections into or out of each unit: of all units, or an array of each weight's, to be broadcast to its shape."""


class ShapeError(UserError):
    """A layer cannot take the shape it is given."""


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter a layer asks for: its logical shape, and the fans by which weights are initialised.

    `memory` is the order in which the logical axes lie in memory, outermost first; None is as the shape says.
    What has no fans, such as a bias, starts at `initial` and is exempt from weight decay. With a `momentum` it is a
    running average, which no optimizer trains: in place of a gradient, `backward` writes its samples' part of the
    batch's value, towards which each step moves it by that share.
    """

    shape: Shape
    fans: tuple[Fan, Fan] | None = None
    memory: tuple[int, ...] | None = None
    initial: float = 0.0
    momentum: float | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def view(self, flat: Array) -> Array:
        """Return the logical view of a flat run of `size` elements."""
        if self.memory is None:
            return flat.reshape(self.shape)
        stored = flat.reshape([self.shape[axis] for axis in self.memory])
        return stored.transpose([self.memory.index(axis) for axis in range(len(self.shape))])


class Layer:
    """A step of a network. Subclasses override `forward` and `backward`, and whatever of the rest they need.

    `setup` infers the shapes, once; `bind` hands over the arrays; only then may `forward` and `backward` be
    called. `backward` belongs to the last `forward`. What they return may be a buffer of the layer's own, which
    holds until the layer is called again.
    """

    name: str = ""
    backend: Backend
    workspace: Workspace
    parameters: dict[str, Array]
    gradients: dict[str, Array]
    now: Pass = Pass()
    """What is going through the network."""
    keeps_output: bool = True
    """Whether `backward` reads the last output. If not, the layer above may write over it."""
    overwrites_input: bool = False
    """True where the network allows `forward` to write over its input, because no one reads that any more."""
    needs_input_gradient: bool = True
    """False for the first layer of a network: nobody reads the gradient of the images."""

    def setup(self, shape: Shape) -> Shape:
        """Return the output's shape for one sample of the input shape; raise `ShapeError` where it does not fit."""
        return shape

    def parameter_specs(self) -> Mapping[str, ParameterSpec]:
        """Return the parameters asked for, by name, once `setup` has been called."""
        return {}

    def multiply_accumulates(self) -> int:
        """Return the multiply-accumulates of one sample's forward pass."""
        return 0

    def operations(self, shape: Shape) -> int | None:
        """Return the floating-point operations of the forward pass in training of one sample, of the given shape.

        None says that they are not told. Counted is what the formula asks for, however it is computed: one for an
        addition, product, quotient, comparison, maximum, root, exp or tanh, and so two for a multiply-accumulate, the
        bias being what a sum begins with. Zeros of a padding count like pixels. Moving numbers, drawing random ones,
        and what is done once for a whole batch or group count for nothing.
        """
        return 2 * self.multiply_accumulates() or None

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        """Take the arrays to work on: parameters to read, gradients to write, each by name in its logical shape."""
        self.backend = backend
        self.workspace = Workspace(backend)
        self.parameters = parameters
        self.gradients = gradients

    def forward(self, x: Array) -> Array:
        """Return what the layer makes of a batch `(N, …)`."""
        raise NotImplementedError(_missing(self, "forward(self, x)", "a batch's output"))

    def backward(self, dy: Array) -> Array | None:
        """Write the parameters' gradients and return the gradient of the last input (None where nobody needs it).

        `dy` may be written over: the layer above has no more use for it.
        """
        raise NotImplementedError(_missing(self, "backward(self, dy)", "the gradient of the last input"))


def called(layer: Layer) -> str:
    """Return what a layer is called in a message."""
    kind = type(layer)
    return f"layer `{layer.name or kind.__name__}` ({kind.__module__}.{kind.__qualname__})"


def _missing(layer: Layer, method: str, result: str) -> str:
    name = method.partition("(")[0]
    return f"{called(layer)}: {name} is missing; accepted: a method {method} that returns {result}."


def image_shape(layer: Layer, shape: Shape) -> tuple[int, int, int]:
    """Return `shape` as `(C, H, W)`, or say that the layer needs images."""
    if len(shape) != 3:
        raise ShapeError(f"layer `{layer.name}` needs images (channels, height, width), and is given {shape}.")
    return shape
