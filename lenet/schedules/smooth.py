"""Rates that move at every step and reach their end at the run's last."""

import math

from lenet.common.validation import Fraction, NonNegativeFloat, PositiveFloat, UnitInterval, validated
from lenet.schedules.base import Clock, History, Schedule


class Linear(Schedule):
    """Go in a straight line from 1 at the first step to `final` exactly at the last."""

    @validated
    def __init__(self, final: UnitInterval = 0.0, warmup: NonNegativeFloat = 0.0) -> None:
        super().__init__(warmup)
        self.final = final

    def _factor(self, clock: Clock, history: History) -> float:
        return (1 - clock.progress) + self.final * clock.progress


class Cosine(Schedule):
    """Go along half a cosine from 1 at the first step to `final` exactly at the last.

    Loshchilov & Hutter 2017, equation 5, without restarts.
    """

    @validated
    def __init__(self, final: UnitInterval = 0.0, warmup: NonNegativeFloat = 0.0) -> None:
        super().__init__(warmup)
        self.final = final

    def _factor(self, clock: Clock, history: History) -> float:
        return half_cosine(1.0, self.final, clock.progress)


class OneCycle(Schedule):
    """Climb from `start` to 1 and fall to `final`, each along half a cosine: `optimizer.lr` is the peak.

    rise: share of the steps spent climbing. start, final: factors at the first and at the last step.
    Smith 2018 (A disciplined approach), in the form of PyTorch's OneCycleLR, whose defaults these are
    (`start` = 1/25, `final` = 1/25/10,000). A run too short to climb starts at the peak.
    """

    @validated
    def __init__(
        self,
        rise: Fraction = 0.3,
        start: UnitInterval = 0.04,
        final: UnitInterval = 4e-6,
        warmup: NonNegativeFloat = 0.0,
    ) -> None:
        super().__init__(warmup)
        self.rise = rise
        self.start = start
        self.final = final

    def _factor(self, clock: Clock, history: History) -> float:
        peak = max(0.0, self.rise * clock.total - 1)
        if clock.step < peak:
            return half_cosine(self.start, 1.0, clock.step / peak)
        fall = max(1.0, clock.total - 1) - peak
        return half_cosine(1.0, self.final, min(1.0, (clock.step - peak) / fall))


class RangeTest(Schedule):
    """Raise the rate from `low` at the first step to `high` at the last, by the same factor at every step.

    A run with this schedule is a learning-rate range test (Smith 2017, section 3.3); in log steps, since what a rate
    does changes with its order of magnitude. There is no warm-up: the test begins lower than any.
    low, high: rates, not factors. lr: `optimizer.lr`, which the factor undoes, so that it has no effect.
    Raises ValueError if `low` is not below `high`.
    """

    @validated
    def __init__(self, low: PositiveFloat, high: PositiveFloat, lr: PositiveFloat) -> None:
        super().__init__()
        if low >= high:
            raise ValueError(f"low is {low:g}, which must be below high, {high:g}")
        self.low = low
        self.high = high
        self.lr = lr

    def _factor(self, clock: Clock, history: History) -> float:
        rate: float = self.low ** (1 - clock.progress) * self.high**clock.progress
        return rate / self.lr


def half_cosine(start: float, end: float, progress: float) -> float:
    """Return the point at `progress` (0 to 1) of half a cosine wave from `start` to `end`."""
    weight = (1 + math.cos(math.pi * progress)) / 2
    return weight * start + (1 - weight) * end
