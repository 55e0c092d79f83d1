"""Of what ends a run it is said which part raised it: a user's own before one of ours, whoever called whom."""

import numpy as np
import pytest

from lenet.layers import Layer, Linear
from lenet.losses import CrossEntropy
from lenet.optimizers import SGD
from lenet.running.blame import culprit
from lenet.schedules import Clock, Schedule
from tests.helpers import backend, bound, cross_entropy

CHECK = "; `python -m lenet.check` says which layer is at fault"


def asked(values: list[float]) -> float:
    return values[3]


class Lost(SGD):
    def _update(self, theta, gradient, lr, number):
        raise KeyError("velocity")


class Short(Schedule):
    def _factor(self, clock, history):
        return asked([])


class Within(Layer):
    def __init__(self) -> None:
        self.inner = bound(Linear(2), (3,))

    def forward(self, x):
        return self.inner.forward(x[:, :1])


def step(x):
    optimizer = Lost()
    optimizer.bind(x, np.ones(len(x), bool), backend())
    optimizer.step(x, x.copy(), 0.1)


def line(function: object) -> str:
    """Return how a message tells the line after that where a function begins."""
    return f"(test_blame.py, line {function.__code__.co_firstlineno + 1})"  # type: ignore[attr-defined]


def blame(call, *arguments) -> str | None:
    """Return what is said of what a call raises."""
    with pytest.raises((LookupError, ValueError, AttributeError)) as info:
        call(*arguments)
    return culprit(info.value)


def test_an_optimizer_is_named_with_the_line():
    where = line(Lost._update)
    assert blame(step, np.ones(5)) == f"`optimizer` ({__name__}.Lost) raised KeyError: 'velocity' {where}"


def test_the_line_may_be_of_what_a_part_calls_in_its_file():
    told = blame(Short(), Clock(0, 5, 3))
    assert told == f"`schedule` ({__name__}.Short) raised IndexError: list index out of range {line(asked)}"


def test_a_layer_of_a_user_s_own_goes_before_ours_that_it_calls():
    told = blame(Within().forward, np.ones((5, 3)))
    assert told.startswith(f"layer `Within` ({__name__}.Within) raised ValueError: matmul: ")
    assert told.endswith(f"{line(Within.forward)}{CHECK}")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (bound(Linear(2), (3,)).forward, "layer `Linear` (lenet.layers.linear.Linear) raised ValueError: matmul: "),
        (
            lambda x: cross_entropy(backend()).forward(None, x),
            f"`loss` ({CrossEntropy.__module__}.CrossEntropy) raised AttributeError: ",
        ),
    ],
)
def test_where_one_of_ours_is_given_what_it_cannot_take_the_layers_are_to_be_checked(call, says):
    told = blame(call, np.ones((5, 1)))
    assert told.startswith(says)
    assert told.endswith(CHECK)


def test_what_no_part_raised_is_blamed_on_none():
    assert blame(asked, []) is None
