"""Types that say what a value may be, and the decorator that holds a constructor to them."""

import re
from collections.abc import Callable
from typing import Annotated, ParamSpec, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, validate_call

P = ParamSpec("P")
R = TypeVar("R")


def _no_boolean(value: object) -> object:
    """Refuse `true` where a number belongs, which would be taken for 1."""
    if isinstance(value, bool):
        raise ValueError("a number is needed, not a boolean")
    return value


Number = BeforeValidator(_no_boolean)
PositiveInt = Annotated[int, Number, Field(ge=1)]
NonNegativeInt = Annotated[int, Number, Field(ge=0)]
PositiveFloat = Annotated[float, Number, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Number, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Number, Field(gt=0, lt=1)]
"""A share of a whole, both ends excluded."""
UnitInterval = Annotated[float, Number, Field(ge=0, le=1)]


def matching(pattern: str, accepted: str) -> AfterValidator:
    """Return what refuses a text that a regular expression does not match as a whole, and says what is accepted."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"accepted: {accepted}")
        return value

    return AfterValidator(check)


def validated(function: Callable[P, R]) -> Callable[P, R]:
    """Check and convert the arguments of `function` by their annotations.

    Raises pydantic's `ValidationError`, which names every argument that is wrong, missing or unknown.
    """
    return validate_call(config=ConfigDict(arbitrary_types_allowed=True))(function)
