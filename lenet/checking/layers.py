"""One layer, called as training calls it: held to what a layer has to do, and its gradients compared."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from lenet.arrays.backend import Array
from lenet.checking.gradients import DIRECTIONS, SINGLES, Agreement, Floats, Slopes, agreement
from lenet.common.raised import raised
from lenet.errors import Failure, UserError
from lenet.layers.base import Layer, Shape, called

INPUT = "input"
"""What the gradient of a layer's input is called, beside those of its parameters."""

UNWRITTEN = (Layer.forward, Layer.backward)
"""What stands for a method that a layer does not have; what it raises says so."""


class LayerFault(Failure):
    """A layer does not do what a layer has to; the message says which layer, and what."""


def check_layer(
    layer: Layer,
    x: Floats,
    shape: Shape,
    generator: np.random.Generator,
    singles: int = SINGLES,
    directions: int = DIRECTIONS,
) -> dict[str, Agreement]:
    """Return how the layer's gradients at `x` agree with finite differences: of its input, then of its parameters.

    The layer is bound to arrays (float64, NumPy) and puts out `shape` for a sample. Of the output, a random projection
    is taken. Running averages have no gradient. Raises `LayerFault` where it does not do what a layer has to.
    """
    specs = layer.parameter_specs()
    trained = {name: layer.parameters[name] for name, spec in specs.items() if spec.momentum is None}
    weights, gradients = _gradients(layer, x, shape, list(trained), generator)
    x = np.array(x)
    return {
        name: agreement(
            Slopes(lambda: forward(layer, np.array(x), shape), array, weights),
            gradients[name],
            generator,
            singles,
            directions,
        )
        for name, array in ({INPUT: x} | trained).items()
    }


def _gradients(
    layer: Layer, x: Floats, shape: Shape, trained: Sequence[str], generator: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return random weights of an output, and the gradients of it so weighted: of the input, then of parameters.

    Raises `LayerFault` for what the layer changes that is not its own, and for what it does not write.
    """
    read = {name: np.array(layer.parameters[name]) for name in layer.parameter_specs()}
    written = {name: layer.gradients[name] for name in trained}  # a layer may write to these, and not replace them
    for target in written.values():
        target.fill(np.nan)
    y = np.array(forward(layer, np.array(x), shape))
    _check_kept(layer, "forward", read)
    given = np.array(x)
    again = forward(layer, given, shape)
    if not np.array_equal(again, y):
        raise _fault(
            layer,
            "forward",
            "puts out something else for the same input; accepted: what follows from the input, the parameters and "
            "self.now alone (random numbers too: lenet.arrays.draws)",
        )
    _check_input(layer, "forward", given, x)
    if not layer.keeps_output:
        _write_over(layer, again, given)
    weights = np.empty_like(y)
    weights[...] = generator.normal(size=y.shape)
    dx = np.array(backward(layer, np.array(weights), x.shape))
    _check_kept(layer, "backward", read)
    _check_input(layer, "backward", given, x)
    for name, target in written.items():
        place = f"self.gradients[{name!r}]"
        if np.isnan(target).all():
            raise _unwritten(layer, x, weights, target, place)
        _check_finite(layer, "backward", target, place)
    return weights, {INPUT: dx} | {name: np.array(target) for name, target in written.items()}


def _check_kept(layer: Layer, method: str, parameters: Mapping[str, Floats]) -> None:
    for name, before in parameters.items():
        if not np.array_equal(layer.parameters[name], before):
            what = f"changes self.parameters[{name!r}], which a layer may only read"
            raise _fault(layer, method, f"{what}; the step changes it, by self.gradients[{name!r}]")


def _check_input(layer: Layer, method: str, given: Floats, x: Floats) -> None:
    if not layer.overwrites_input and not np.array_equal(given, x):
        raise _fault(layer, method, "writes over its input, which the layer below still needs")


def _write_over(layer: Layer, y: Floats, x: Floats) -> None:
    """Write over an output as the layer above may, unless that would be the input, which the layer below needs."""
    if not layer.overwrites_input and np.may_share_memory(y, x):
        what = "returns its input, over which the layer above may write as keeps_output is False"
        raise _fault(layer, "forward", f"{what}; accepted: a copy of it, or keeps_output = True")
    y[...] = np.nan


def _unwritten(layer: Layer, x: Floats, weights: Floats, target: Floats, place: str) -> LayerFault:
    """Return what to say of a gradient that is still nan: `backward` does not write it, or adds to what it held."""
    target.fill(0)
    forward(layer, np.array(x), weights.shape[1:])
    backward(layer, np.array(weights), x.shape)
    what = f"does not write {place}"
    if 0 < float(abs(target).sum()) < math.inf:
        what = f"adds to {place}, which still holds what the call before wrote"
    return _fault(layer, "backward", f"{what}: give it its values, `{place}[...] = …`")


def forward(layer: Layer, x: Array, shape: Shape) -> Array:
    """Return what the layer makes of `x`; raise `LayerFault` for what is no output of this shape and the same dtype."""
    with calling(layer, "forward"):
        y = layer.forward(x)
    return _checked(layer, "forward", y, x, (len(x), *shape), "as its setup says")


def backward(layer: Layer, dy: Array, shape: Shape) -> Array:
    """Return the gradient of the layer's last input, of this shape; raise `LayerFault` for what is none."""
    with calling(layer, "backward"):
        dx = layer.backward(dy)
    return _checked(layer, "backward", dx, dy, shape, "that of its input")


@contextmanager
def calling(layer: Layer, method: str) -> Iterator[None]:
    """Turn what a layer raises into a `LayerFault` that says where; what is not finite is looked at afterwards."""
    try:
        with np.errstate(all="ignore"):
            yield
    except (UserError, Failure, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, NotImplementedError) and getattr(type(layer), method, None) in UNWRITTEN:
            raise LayerFault(str(error)) from error  # which says that the method is missing
        raise _fault(layer, method, f"raises {raised(error, type(layer))}") from error


def _checked(layer: Layer, method: str, array: Any, given: Array, shape: Shape, why: str) -> Array:
    """Return an array that a layer returned; raise `LayerFault` where it is none, or not of the kind of `given`."""
    accepted = f"accepted: an array {shape} of {given.dtype}, {why}"
    if not isinstance(array, type(given)):
        raise _fault(layer, method, f"returns {_described(array)}; {accepted}")
    if array.shape != shape:
        raise _fault(layer, method, f"returns an array {array.shape}; {accepted}")
    if array.dtype != given.dtype:
        found = f"returns {array.dtype} where it is given {given.dtype}"
        raise _fault(layer, method, f"{found}; accepted: self.backend.dtype")
    _check_finite(layer, method, array, "what it returns")
    return array


def _check_finite(layer: Layer, method: str, array: Array, what: str) -> None:
    finite = abs(array) < math.inf  # of NumPy or CuPy; false of nan too
    if not finite.all():
        count = array.size - int(finite.sum())
        reads = method == "backward" and not layer.keeps_output
        hint = "; as keeps_output is False, its output may be written over before backward" if reads else ""
        numbers = f"{count} of {array.size} numbers not finite or not written"
        raise _fault(layer, method, f"leaves {numbers} in {what} ({array.dtype}){hint}")


def _fault(layer: Layer, method: str, what: str) -> LayerFault:
    when = "" if layer.now.training else " in evaluation"
    return LayerFault(f"{called(layer)}: {method}{when} {what}.")


def _described(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
