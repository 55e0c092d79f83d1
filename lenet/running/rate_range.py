"""What a learning-rate range test shows: from which rate on a network learns, and up to which.

The reasoning. L. N. Smith 2017 (Cyclical Learning Rates for Training Neural Networks, WACV, section 3.3) raises the
rate in one short run and notes two rates: where the accuracy starts to rise, and where its rise slows, becomes ragged
or turns to a fall. They bound the rates worth trying. This module reads both off the loss, which moves at every step:

- Smoothing. One batch's loss is noisy. It is averaged with its neighbours', weighted by exp(-distance / 0.1 decade of
  the rate) on *both* sides: a running mean of the past alone lags, and would report every change at too high a
  rate. Dividing by the sum of the weights corrects the bias at both ends, where neighbours are missing.
- Baseline. Guessing costs ln(classes). Initial weights are often worse than that, and the first fall only unlearns
  their confidence, so it counts from ln(classes) or from where the loss began, whichever is lower.
- Noticeable is a tenth of the whole fall from the baseline to the lowest loss, and at least twice the noise that
  smoothing leaves.
- The range begins where the loss lies noticeably below the baseline for good, and ends at the last rate before it lies
  noticeably above its lowest. That is where Smith's second rate is: a loss that is as low as ever has not yet suffered.
- The rate to start with is the middle, in log, of the floor: of the rates at which the loss is not noticeably above its
  lowest. Steeper places, which other finders prefer, are lower: there the test had most left to learn, but a run that
  goes on at such a rate learns slowly. The floor's end is on the brink of instability.

A loss depends on all the steps before it, so this is an estimate, good for the range of a sweep and not instead of one:
a long test flatters high rates, which meet a network that has learnt already. Where the curve does not show both ends,
no range is proposed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

WIDTH = 0.1
"""Decades of the rate over which a weight falls by e in smoothing; at least `STEPS` steps."""
STEPS = 2
OPENING = 0.25
"""Decades at the beginning whose mean loss is where it began; at least `OPENING_STEPS` steps."""
OPENING_STEPS = 5
NOTICEABLE = 0.1
"""Share of the whole fall that counts."""
NOISE = 2
"""Standard deviations of the smoothed loss that count."""
FALL = 0.05
"""Least fall, as a share of the baseline, that is learning; also twice `NOISE`."""
PER_DECADE = 5
"""Least steps in a decade of the rate."""
EXPLODED = 4
"""Multiple of the lowest running mean that is an explosion."""
MEMORY = 10
"""Least steps over which a weight in the running mean falls by e: single images' losses differ by more than 4 times."""

SHORT = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
"""Ten numbers of at most two digits that divide a decade evenly in log (ISO 3, series R″10)."""


@dataclass(frozen=True)
class Proposal:
    """Rates worth trying, from `low` to `high`, and the one to `start` with."""

    low: float
    high: float
    start: float

    def rates(self, count: int = 5) -> list[float]:
        """Return `count` rates of the range, evenly spaced in log and rounded; fewer where two would be the same."""
        return list(dict.fromkeys(rounded(rate) for rate in np.geomspace(self.low, self.high, count)))


@dataclass(frozen=True)
class Unclear:
    """Why there is no honest proposal, and what to try instead: one sentence."""

    reason: str


def propose(rates: Sequence[float], losses: Sequence[float], classes: int) -> Proposal | Unclear:
    """Read a range test: `rates`, each the same factor above the one before, and each step's loss in natural units.

    A loss may be infinite or not a number. The module's docstring gives the reasoning.
    """
    per_decade = 1 / _spacing(rates) if len(rates) > 1 else 0.0
    if len(rates) < 2 * OPENING_STEPS or per_decade < PER_DECADE:
        return Unclear(
            f"{len(rates)} steps, {per_decade:.1f} for each decade of the rate, show too little ({PER_DECADE} a decade "
            "are the least): raise trainer.epochs, lower trainer.batch_size or, where the loss exploded at once, "
            "schedule.low."
        )
    began = float(np.mean(_capped(rates, losses)[: opening(rates)]))
    baseline = min(began, math.log(classes))
    curve = smooth(rates, losses)
    noise = _noise(rates, losses)
    bottom = int(curve.argmin())
    lowest = float(curve[bottom])
    fall = baseline - lowest
    if fall < max(FALL * baseline, 2 * NOISE * noise):
        what = "where it began" if baseline == began else "that of guessing"
        return Unclear(
            f"the loss never fell clearly below {baseline:.3g}, {what} (its lowest was {lowest:.3g}): raise "
            "trainer.epochs for more steps, or change the initial weights, the activation or schedule.low."
        )
    margin = max(NOTICEABLE * fall, NOISE * noise)
    above = np.flatnonzero(curve[:bottom] > baseline - margin)
    low = above[-1] + 1 if above.size else 0
    if low < opening(rates):
        return Unclear(f"the loss fell already at the lowest rate, {rates[0]:g}: lower schedule.low.")
    risen = np.flatnonzero(curve[bottom:] > lowest + margin)
    if not risen.size:
        return Unclear(
            f"the loss had not risen again at the highest rate, {rates[-1]:g}: raise schedule.high or, where the loss "
            "was all but zero by then, lower trainer.epochs."
        )
    high = bottom + risen[0] - 1
    floor = np.flatnonzero(curve[:bottom] > lowest + margin)[-1] + 1
    return Proposal(float(rates[low]), float(rates[high]), math.sqrt(rates[floor] * rates[high]))


def smooth(rates: Sequence[float], losses: Sequence[float]) -> Floats:
    """Return the loss averaged over its neighbours on both sides, as long as `losses`.

    An exploded loss counts as no more than twice where the loss began, or it would drown what came before it.
    """
    decay = _decay(rates)
    return _neighbours(_capped(rates, losses), decay) / _neighbours(np.ones(len(losses)), decay)


def opening(rates: Sequence[float]) -> int:
    """Return how many steps at the beginning tell where the loss began."""
    return max(OPENING_STEPS, round(OPENING / _spacing(rates))) if len(rates) > 1 else OPENING_STEPS


def rounded(rate: float) -> float:
    """Return the nearest number, in log, of at most two digits from a series that divides each decade in ten."""
    exponent = math.floor(math.log10(rate))
    return min((float(f"{digits}e{exponent}") for digits in SHORT), key=lambda short: abs(math.log(short / rate)))


class Watch:
    """Tells when the loss of a range test has clearly exploded, as the steps are taken.

    That is when it is not finite, or its running mean (with bias correction) lies above where it began and above
    four times its lowest, as fast.ai's finder has it. The first steps only tell where it began.
    """

    def __init__(self) -> None:
        self._sum = self._weight = 0.0
        self._began, self._lowest = 0.0, math.inf

    def exploded(self, rates: Sequence[float], losses: Sequence[float]) -> bool:
        """Look at the last of the losses; to be called after every step."""
        decay = _decay(rates[-2:], MEMORY)
        self._sum = self._sum * decay + losses[-1]
        self._weight = self._weight * decay + 1
        mean = self._sum / self._weight
        if not math.isfinite(mean):
            return True
        steps = opening(rates[-2:])
        if len(losses) <= steps:
            self._began = sum(losses) / len(losses)
            return False
        self._lowest = min(self._lowest, mean)
        return mean > max(self._began, EXPLODED * self._lowest)


def _spacing(rates: Sequence[float]) -> float:
    """Return the decades between one rate and the next."""
    return math.log10(rates[-1] / rates[0]) / (len(rates) - 1)


def _decay(rates: Sequence[float], least: int = STEPS) -> float:
    """Return what a neighbour's weight is multiplied by with each step of distance: 1/e in `least` steps or more."""
    if len(rates) < 2:
        return 0.0
    spacing = _spacing(rates)
    return math.exp(-spacing / max(WIDTH, least * spacing))


def _neighbours(values: Floats, decay: float) -> Floats:
    """Return for each value the sum of all, weighted by `decay` to the power of their distance."""
    total = -values  # which both directions count
    for direction in (1, -1):
        carried = 0.0
        for index in range(len(values))[::direction]:
            carried = carried * decay + float(values[index])
            total[index] += carried
    return total


def _capped(rates: Sequence[float], losses: Sequence[float]) -> Floats:
    """Return the losses with what exploded cut off at twice where the loss began."""
    values = np.nan_to_num(np.array(losses, np.float64), nan=math.inf, posinf=math.inf)
    first = values[: opening(rates)]
    known = first[np.isfinite(first)]
    return np.minimum(values, 2 * float(known.mean()) if known.size else 1.0)


def _noise(rates: Sequence[float], losses: Sequence[float]) -> float:
    """Return the standard deviation that chance leaves in the smoothed loss, at its largest.

    From the median difference of successive losses (for normal noise 0.6745 · √2 standard deviations), which the
    slow fall hardly touches.
    """
    single = float(np.median(np.abs(np.diff(_capped(rates, losses))))) / (0.6745 * math.sqrt(2))
    decay, ones = _decay(rates), np.ones(len(losses))
    return single * float((np.sqrt(_neighbours(ones, decay**2)) / _neighbours(ones, decay)).max())
