"""A range test's curve is read as one reads it by eye, and where it does not show both ends nothing is proposed."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenet.running.rate_range import Proposal, Unclear, Watch, propose, rounded, smooth

GUESS = math.log(10)


def curve(rates, falls, floor, rises, began=3.0, lowest=0.4):
    """A loss that falls from where it began: to guessing at the rate `falls`, to the lowest at `floor`; and rises."""
    at = np.log10([rates[0], falls, floor, rises, rises * 3])
    return np.interp(np.log10(rates), at, [began, GUESS, lowest, lowest, 5.0])


@settings(max_examples=150, deadline=None)
@given(
    scale=st.floats(-3, 3),
    falls=st.floats(-3.5, -2.5),
    descent=st.floats(0.5, 1.5),
    width=st.floats(0.3, 1),
    steps=st.integers(60, 1500),
    noise=st.floats(0, 0.12),
    seed=st.integers(0, 1000),
)
def test_the_range_reaches_from_the_first_fall_to_the_last_low_loss(scale, falls, descent, width, steps, noise, seed):
    rates = np.geomspace(1e-5, 10, steps) * 10**scale
    # The loss is a tenth of the way down after a tenth of the descent, and a tenth up again soon after the floor.
    low, floor = falls + scale + 0.1 * descent, falls + scale + descent
    high = floor + width
    near = max(0.3, 5 * 6 / (steps - 1))  # decades: a factor of two, or 5 steps
    losses = curve(rates, 10 ** (falls + scale), 10**floor, 10**high)
    found = propose(rates, losses + noise * np.random.default_rng(seed).normal(size=steps), 10)
    assert isinstance(found, Proposal)
    assert math.log10(found.low) == pytest.approx(low, abs=near)
    assert math.log10(found.high) == pytest.approx(high, abs=near)
    assert math.log10(found.start) == pytest.approx((floor + high) / 2, abs=near)
    assert found.low < found.start < found.high


def test_a_loss_that_ends_in_infinity_or_no_number_leaves_the_range_as_it_is():
    rates = np.geomspace(1e-5, 10, 200)
    losses = curve(rates, 1e-3, 1e-2, 0.1)
    expected = propose(rates, losses, 10)
    for worst in (math.inf, math.nan, 1e30):
        assert propose(rates, np.where(rates > 0.3, worst, losses), 10) == expected
        assert np.isfinite(smooth(rates, np.where(rates > 0.3, worst, losses))).all()


RATES = np.geomspace(1e-5, 10, 200)
NOISE = 0.1 * np.random.default_rng(0).normal(size=200)


@pytest.mark.parametrize(
    ("rates", "losses", "says"),
    [
        (RATES[:1], [2.3], "1 steps"),
        (RATES[:4], [3, 3, 1e9, math.nan], "4 steps.*trainer.epochs.*schedule.low"),
        (
            np.geomspace(1e-5, 10, 20),
            curve(np.geomspace(1e-5, 10, 20), 1e-3, 1e-2, 0.1),
            "20 steps, 3.2 for each decade",
        ),
        (RATES, np.full(200, GUESS) + NOISE, "never fell clearly below 2.3"),
        (RATES, curve(RATES, 1e-3, 1e-2, 0.1, began=6, lowest=2.28), "never fell clearly below 2.3, that of guessing"),
        (RATES, np.full(200, 1.0) + NOISE, "never fell clearly below 1.*where it began"),
        (RATES, np.full(200, math.nan), "never fell"),
        (RATES, np.minimum(RATES, 1) * 50 + GUESS, "never fell"),
        (RATES, curve(RATES, 1e-3, 1e-2, 9.9), "not risen again at the highest rate, 10: raise schedule.high"),
        (RATES, curve(RATES, 1e-3, 9, 9.9), "not risen again at the highest rate"),
        (
            RATES[90:],
            curve(RATES, 1e-4, 1e-2, 0.5)[90:],
            "fell already at the lowest rate, 0.0051.*: lower schedule.low",
        ),
    ],
)
def test_a_curve_that_does_not_show_both_ends_gives_no_range(rates, losses, says):
    found = propose(rates, losses, 10)
    assert isinstance(found, Unclear)
    assert re.search(says, found.reason), found.reason


def test_smoothing_neither_lags_nor_bends_at_the_ends():
    assert smooth(RATES, np.full(200, 1.7)) == pytest.approx(np.full(200, 1.7))
    bump = smooth(RATES, 2 - np.exp(-((np.log10(RATES) + 2) ** 2) / 0.1))
    assert RATES[bump.argmin()] == pytest.approx(1e-2, rel=0.04)


def test_rates_are_short_numbers_evenly_spaced_in_log():
    assert Proposal(0.00071, 0.1, 0.05).rates() == [0.0008, 0.0025, 0.008, 0.03, 0.1]
    assert Proposal(0.01, 0.012, 0.011).rates() == [0.01, 0.012]
    assert [rounded(x) for x in (0.97, 1.0, 9.4, 3.4e-7, 0.0446, 0.0449)] == [1, 1, 10, 3e-7, 0.04, 0.05]


def watched(losses, rates=RATES):
    """How many steps are taken before the watch calls an explosion, None if it never does."""
    watch = Watch()
    seen = [watch.exploded(rates[: n + 1], losses[: n + 1]) for n in range(len(losses))]
    return seen.index(True) + 1 if True in seen else None


def test_the_watch_sees_an_explosion_at_once_and_nothing_else():
    tame = list(curve(RATES, 1e-3, 1e-2, 0.1) + NOISE)  # ends at 5, above where it began and 4 times its lowest
    lowest = int(np.argmin(np.abs(RATES - 0.1)))
    assert lowest < watched(tame) < 170
    assert watched([*tame[:140], math.nan, *tame[:9]]) == 141
    assert watched([math.inf]) == 1
    assert watched([*np.full(100, 2.0), 1e4, *np.full(99, 2.0)]) == 101
    assert watched(list(np.full(200, GUESS) + NOISE)) is None
    assert watched([*np.geomspace(3, 1e-3, 150), *np.full(50, 0.1)]) is None  # far above its lowest, but still learnt
    assert watched(list(np.random.default_rng(0).exponential(8, 200))) is None  # single images under a bad start
