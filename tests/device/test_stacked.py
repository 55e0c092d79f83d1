"""The stack of runs of `benchmarks.stacked` trains as its runs do alone, and launches no more for many than for one."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import setting
from benchmarks.contenders.lenet_numpy import LeNetNumpy
from benchmarks.stacked import StackedLeNet, by_output, rates_of, scaled
from lenet.data import Mnist5k
from tests.device.standin import StandIn

LAUNCHES, COPIES = 65, 7
"""Of a step, whatever the number of runs; and how many of them only lay out what a product takes."""


@pytest.fixture(scope="module")
def problem():
    return setting.make_problem(Mnist5k().load(seed=0), size=100)


def test_a_stack_trains_as_its_runs_do_alone(problem):
    batch, rates = np.arange(48), rates_of(3)
    stack = StackedLeNet(np, problem.weights, rates, len(batch))
    for _ in range(3):
        stack.step(*scaled(problem, batch))
    for run, rate in enumerate(rates):
        alone = LeNetNumpy(threads=1)
        alone.open(replace(problem, lr=rate))
        for _ in range(3):
            alone.step(batch)
        for name, weight in alone.weights().items():
            np.testing.assert_allclose(stack.weights(run)[name], by_output(weight), atol=1e-6, err_msg=name)


@pytest.mark.parametrize("runs", [1, 8, 20])
def test_a_stack_launches_no_more_for_many_runs(problem, runs):
    xp = StandIn()
    stack = StackedLeNet(xp, problem.weights, [1e-4] * runs, 16)
    images, labels = map(xp.array, scaled(problem, np.arange(16)))
    for _ in range(2):
        xp.counts.clear()
        stack.step(images, labels)
    assert xp.counts.launches == LAUNCHES
    assert xp.counts.allocations == COPIES
    assert (xp.counts.reads, xp.counts.uploads) == (0, 0)
