"""What a layer answers that is asked for shapes, parameters and costs: a user's own may raise, or answer anything."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lenet.common.raised import raised
from lenet.errors import Failure, UserError
from lenet.layers.base import Layer, ParameterSpec, Shape, ShapeError, called


def ask(layer: Layer, method: str, *arguments: Any) -> Any:
    """Return what a layer's method returns; raise `UserError` that names both for what it raises.

    That memory runs out is no fault of the layer's, and goes on as it is.
    """
    try:
        return getattr(layer, method)(*arguments)
    except (UserError, Failure, MemoryError):
        raise
    except Exception as error:
        raise UserError(f"{called(layer)}: {method} raises {raised(error, type(layer))}.") from error


def output_shape(layer: Layer, shape: Shape) -> Shape:
    """Return the output's shape for one sample of a shape; raise `ShapeError` where `setup` returns none."""
    found = ask(layer, "setup", shape)
    if isinstance(found, tuple | list) and all(isinstance(size, int | np.integer) and size > 0 for size in found):
        return tuple(map(int, found))
    raise _wrong(
        layer, "setup", found, "the shape of the output for one sample, a tuple of whole numbers such as (6, 28, 28)"
    )


def parameter_specs(layer: Layer) -> Mapping[str, ParameterSpec]:
    """Return the parameters asked for, by name; raise `ShapeError` where `parameter_specs` returns something else."""
    found = ask(layer, "parameter_specs")
    if isinstance(found, Mapping) and all(isinstance(spec, ParameterSpec) for spec in found.values()):
        return found
    raise _wrong(layer, "parameter_specs", found, "a mapping of names to ParameterSpec")


def multiply_accumulates(layer: Layer) -> int:
    """Return those of one sample's forward pass; raise `ShapeError` where what the layer tells is no count."""
    return _count(layer, "multiply_accumulates", ask(layer, "multiply_accumulates"))


def operations(layer: Layer, shape: Shape) -> int | None:
    """Return those of the forward pass of one sample of a shape, None where the layer does not tell.

    Raises `ShapeError` where what it tells is no count.
    """
    told = ask(layer, "operations", shape)
    return None if told is None else _count(layer, "operations", told)


def _count(layer: Layer, method: str, count: object) -> int:
    if isinstance(count, int | np.integer) and not isinstance(count, bool) and count >= 0:
        return int(count)
    raise _wrong(layer, method, count, "a whole number, at least 0, of one sample's forward pass")


def _wrong(layer: Layer, method: str, found: object, accepted: str) -> ShapeError:
    kind = type(layer).__qualname__
    return ShapeError(f"layer `{layer.name}` ({kind}): {method} returns {found!r}; accepted: {accepted}.")
