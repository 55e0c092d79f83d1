"""Rates that follow from what was recorded of the epochs so far, which are replayed."""

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Literal

from lenet.common.validation import Fraction, NonNegativeFloat, NonNegativeInt, PositiveFloat, UnitInterval, validated
from lenet.schedules.base import Clock, History, Schedule

Metric = Literal["train/loss", "train/accuracy", "val/loss", "val/accuracy"]


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
        metric: Metric = "val/loss",
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
        total, best, waited = 1.0, math.inf if self.mode == "min" else -math.inf, 0
        for record in completed(clock, history):
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


class Threshold(Schedule):
    """Multiply the rate by `factor` from the epoch after the first whose `metric` has got past `value`, for good.

    Past is below for a loss, above for an accuracy.
    """

    @validated
    def __init__(
        self,
        value: NonNegativeFloat,
        factor: PositiveFloat,
        metric: Metric = "val/loss",
        warmup: NonNegativeFloat = 0.0,
    ) -> None:
        super().__init__(warmup)
        self.value = value
        self.reduction = factor
        self.metric = metric

    def _factor(self, clock: Clock, history: History) -> float:
        values = (record[self.metric] for record in completed(clock, history))
        past = (value < self.value if self.metric.endswith("loss") else value > self.value for value in values)
        return self.reduction if any(past) else 1.0


def completed(clock: Clock, history: History) -> Iterator[Mapping[str, float]]:
    """Yield the records of the epochs completed at `clock`; raise ValueError if one has none."""
    if len(history) < clock.epoch:
        raise ValueError(f"history holds {len(history)} epochs, but {clock.epoch} are completed")
    return islice(history, clock.epoch)
