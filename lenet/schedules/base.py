"""What all schedules are: pure functions of the clock that give a factor on `optimizer.lr`.

Nothing is carried from step to step, so a resumed run sees the rates of one that was never interrupted.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lenet.common.validation import NonNegativeFloat, validated
from lenet.errors import UserError, part_called

History = Sequence[Mapping[str, float]]
"""One record per completed epoch, metric name to value."""


class Clock(NamedTuple):
    """Where a run stands: `step` counts the steps already taken, so the first step is 0."""

    step: int
    steps_per_epoch: int
    epochs: int

    @property
    def epoch(self) -> int:
        """Epochs completed: 0 during the first."""
        return self.step // self.steps_per_epoch

    @property
    def total(self) -> int:
        """Steps in the whole run."""
        return self.steps_per_epoch * self.epochs

    @property
    def progress(self) -> float:
        """Share of the run behind this step: 0 at the first step, 1 at the last; 0 if there is only one."""
        return min(1.0, self.step / max(1, self.total - 1))


class Schedule(ABC):
    """A factor on the learning rate, optionally with a linear warm-up that multiplies it.

    warmup: epochs (may be fractional) over which the rate climbs in equal steps to the schedule's own; the
        first step is already above 0 (Goyal et al. 2017, section 2.2).
    """

    @validated
    def __init__(self, warmup: NonNegativeFloat = 0.0) -> None:
        self.warmup = warmup

    def __call__(self, clock: Clock, history: History = ()) -> float:
        """Return the factor for the step at `clock`; `history` holds a record for each completed epoch.

        Raises `UserError` where a schedule of a user's own gives no finite number, or a negative one.
        """
        ramp = self.warmup * clock.steps_per_epoch
        warm = min(1.0, (clock.step + 1) / ramp) if ramp else 1.0
        factor = self._factor(clock, history)
        try:
            is_factor = 0 <= factor < math.inf
        except (TypeError, ValueError):  # of what is no number, or several
            is_factor = False
        if not is_factor:
            raise UserError(
                f"{part_called('schedule', self)} returned {factor!r} for step {clock.step}, counted from 0; accepted: "
                "a finite number, at least 0."
            )
        return warm * factor

    @abstractmethod
    def _factor(self, clock: Clock, history: History) -> float:
        """Return the factor without warm-up."""
