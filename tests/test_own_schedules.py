"""What a schedule of a user's own may give as a factor."""

import math

import numpy as np
import pytest

from lenet.errors import UserError
from lenet.schedules import Clock, Schedule


class Told(Schedule):
    """Gives what it is told."""

    def __init__(self, factor: object) -> None:
        super().__init__(warmup=2)
        self.factor = factor

    def _factor(self, clock: Clock, history: object) -> float:
        return self.factor  # type: ignore[return-value]


@pytest.mark.parametrize("factor", [math.nan, math.inf, -1.0, None, "0.1", [0.5], np.array([0.5, 0.1]), 1j])
def test_what_is_no_factor_is_refused_and_the_schedule_and_the_step_are_named(factor: object) -> None:
    with pytest.raises(UserError) as info:
        Told(factor)(Clock(10, 5, 4))
    assert str(info.value) == (
        f"`schedule` (tests.test_own_schedules.Told) returned {factor!r} for step 10, counted from 0; accepted: "
        "a finite number, at least 0."
    )


@pytest.mark.parametrize("factor", [0, 0.5, 2, np.float32(0.5), np.array(0.5)])
def test_any_number_may_be_a_factor(factor: float) -> None:
    assert Told(factor)(Clock(10, 5, 4)) == factor
