"""A part of a user's own that is not made whole is refused as the plan is built."""

import pytest

from lenet.configuration.construct import make
from lenet.data import Dataset, DataSource
from lenet.errors import UserError
from lenet.layers import Layer
from lenet.optimizers import Optimizer
from lenet.schedules import Schedule


class Descent(Optimizer):
    def __init__(self, lr: float) -> None:
        self.lr = lr

    def _update(self, theta, gradient, lr, number) -> None:
        theta -= lr * gradient


class Steady(Schedule):
    def __init__(self) -> None:
        pass

    def _factor(self, clock, history) -> float:
        return 1.0


class Source(DataSource):
    def __init__(self) -> None:
        pass

    def load(self, seed: int) -> Dataset:
        raise AssertionError


@pytest.mark.parametrize(
    ("arguments", "key", "kind", "part", "lacking"),
    [
        ({"lr": 0.1}, "optimizer", Optimizer, Descent, "weight_decay"),
        ({}, "schedule", Schedule, Steady, "warmup"),
        ({}, "data", DataSource, Source, "validation"),
    ],
)
def test_a_constructor_that_does_not_call_its_base_s_is_named(arguments, key, kind, part, lacking):
    path = f"{__name__}.{part.__name__}"
    with pytest.raises(UserError) as info:
        make({"_target_": path, **arguments}, key, kind)
    assert str(info.value) == (
        f"`{key}` ({path}) has no `{lacking}`; accepted: a class whose constructor calls super().__init__()."
    )


class Scaled(Layer):
    def __init__(self, by: float) -> None:
        self.by = by


def test_a_layer_has_nothing_to_be_made_ready():
    assert make({"_target_": f"{__name__}.Scaled", "by": 2.0}, "network.layers[0]", Layer).by == 2.0
