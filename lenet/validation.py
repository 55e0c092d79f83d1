"""Types that say what a value may be, and the decorator that holds a constructor to them."""

from collections.abc import Callable
from typing import Annotated, ParamSpec, TypeVar

from pydantic import ConfigDict, Field, validate_call

P = ParamSpec("P")
R = TypeVar("R")

PositiveInt = Annotated[int, Field(ge=1)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
"""A share of a whole, both ends excluded."""
UnitInterval = Annotated[float, Field(ge=0, le=1)]


def validated(function: Callable[P, R]) -> Callable[P, R]:
    """Check and convert the arguments of `function` by their annotations.

    Raises pydantic's `ValidationError`, which names every argument that is wrong, missing or unknown.
    """
    return validate_call(config=ConfigDict(arbitrary_types_allowed=True))(function)
