"""Rates that fall at the ends of epochs; those of PyTorch's name equal its schedulers, stepped once per epoch."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field

from lenet.common.validation import NonNegativeFloat, Number, PositiveFloat, PositiveInt, validated
from lenet.schedules.base import Clock, History, Schedule

Decay = Annotated[float, Number, Field(gt=0, le=1)]
"""What a rate is multiplied by at each stair."""


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


class Piecewise(Schedule):
    """From `epochs[i]` completed epochs on, the rate is `factors[i]` times `optimizer.lr`; before the first, once.

    Raises ValueError if the epochs do not increase, or there are not as many factors.
    """

    @validated
    def __init__(
        self, epochs: tuple[PositiveInt, ...], factors: tuple[PositiveFloat, ...], warmup: NonNegativeFloat = 0.0
    ) -> None:
        super().__init__(warmup)
        if any(later <= earlier for earlier, later in pairwise(epochs)):
            raise ValueError(f"epochs must increase, but are {list(epochs)}")
        if len(factors) != len(epochs):
            raise ValueError(f"factors must be as many as epochs, {len(epochs)}, but are {list(factors)}")
        self.epochs = epochs
        self.factors = factors

    def _factor(self, clock: Clock, history: History) -> float:
        return (1.0, *self.factors)[sum(epoch <= clock.epoch for epoch in self.epochs)]
