"""Learning-rate schedules: each a pure function of the clock that gives a factor on `optimizer.lr`.

Nothing is carried from step to step, so a resumed run sees the rates of one that was never interrupted.
Staircases count epochs and equal PyTorch's schedulers of like name, stepped once per epoch; smooth schedules
move at every step and reach their end at the run's last step.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import islice, pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from lenet.validation import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    Number,
    PositiveFloat,
    PositiveInt,
    UnitInterval,
    validated,
)

History = Sequence[Mapping[str, float]]
"""One record per completed epoch, metric name to value."""

Decay = Annotated[float, Number, Field(gt=0, le=1)]
"""What a rate is multiplied by at each stair."""


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
        """Return the factor for the step at `clock`; `history` holds a record for each completed epoch."""
        ramp = self.warmup * clock.steps_per_epoch
        warm = min(1.0, (clock.step + 1) / ramp) if ramp else 1.0
        return warm * self._factor(clock, history)

    @abstractmethod
    def _factor(self, clock: Clock, history: History) -> float:
        """Return the factor without warm-up."""


class Constant(Schedule):
    """The same rate throughout."""

    def _factor(self, clock: Clock, history: History) -> float:
        return 1.0


class Step(Schedule):
    """Multiply the rate by `gamma` after each `every` epochs."""

    @validated
    def __init__(self, every: PositiveInt, gamma: Decay = 0.1, warmup: NonNegativeFloat = 0.0) -> None:
        super().__init__(warmup)
        self.every = every
        self.gamma = gamma

    def _factor(self, clock: Clock, history: History) -> float:
        return self.gamma ** (clock.epoch // self.every)


class MultiStep(Schedule):
    """Multiply the rate by `gamma` once each of the `milestones` is reached, in completed epochs.

    Raises ValueError if the milestones do not increase.
    """

    @validated
    def __init__(self, milestones: tuple[PositiveInt, ...], gamma: Decay = 0.1, warmup: NonNegativeFloat = 0.0) -> None:
        super().__init__(warmup)
        if any(later <= earlier for earlier, later in pairwise(milestones)):
            raise ValueError(f"milestones must increase, but are {list(milestones)}")
        self.milestones = milestones
        self.gamma = gamma

    def _factor(self, clock: Clock, history: History) -> float:
        return self.gamma ** sum(milestone <= clock.epoch for milestone in self.milestones)


class Exponential(Schedule):
    """Multiply the rate by `gamma` after each epoch."""

    @validated
    def __init__(self, gamma: Decay, warmup: NonNegativeFloat = 0.0) -> None:
        super().__init__(warmup)
        self.gamma = gamma

    def _factor(self, clock: Clock, history: History) -> float:
        return self.gamma**clock.epoch


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


class Plateau(Schedule):
    """Multiply the rate by `factor` when `metric` has not improved for more than `patience` epochs in a row.

    As PyTorch's ReduceLROnPlateau, by replaying the epochs completed before the clock's, so that the factor
    is a function of the recorded history alone.

    metric: a loss is better when it is smaller, an accuracy when it is larger.
    threshold: an improvement counts if it is larger than this: `rel`, as a share of the best value so far, or
        `abs`, in the metric's own unit. A value that is not a number is no improvement.
    min_factor: the total factor never falls below this.
    """

    @validated
    def __init__(
        self,
        metric: Literal["train/loss", "train/accuracy", "val/loss", "val/accuracy"] = "val/loss",
        factor: Fraction = 0.1,
        patience: NonNegativeInt = 3,
        threshold: NonNegativeFloat = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        min_factor: UnitInterval = 0.0,
        warmup: NonNegativeFloat = 0.0,
    ) -> None:
        super().__init__(warmup)
        self.metric = metric
        self.mode = "min" if metric.endswith("loss") else "max"
        self.reduction = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.min_factor = min_factor

    def _factor(self, clock: Clock, history: History) -> float:
        """Raise ValueError if a completed epoch has no record."""
        if len(history) < clock.epoch:
            raise ValueError(f"history holds {len(history)} epochs, but {clock.epoch} are completed")
        total, best, waited = 1.0, math.inf if self.mode == "min" else -math.inf, 0
        for record in islice(history, clock.epoch):
            value = record[self.metric]
            if self._improves(value, best):
                best, waited = value, 0
            else:
                waited += 1
            if waited > self.patience:
                total, waited = max(total * self.reduction, self.min_factor), 0
        return total

    def _improves(self, value: float, best: float) -> bool:
        margin = -self.threshold if self.mode == "min" else self.threshold
        bound = best * (1 + margin) if self.threshold_mode == "rel" else best + margin
        return value < bound if self.mode == "min" else value > bound


def half_cosine(start: float, end: float, progress: float) -> float:
    """Return the point at `progress` (0 to 1) of half a cosine wave from `start` to `end`."""
    weight = (1 + math.cos(math.pi * progress)) / 2
    return weight * start + (1 - weight) * end
