"""The mean difference of two groups over the seeds that both have, and its confidence interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lenet.reports.pairwise.groups import Group

ROUNDING = 1e-12
"""Differences that are closer to one another than this share of the values are equal but for rounding."""


@dataclass(frozen=True)
class Difference:
    """A group against a reference, over `seeds`, those that both have.

    `mean`, `reference_mean` and `difference` (the group's mean minus the reference's) are None without a common seed;
    `interval` is None where fewer than two seeds or no spread allow none. `level` is that of this one interval.
    """

    group: Group
    reference: Group
    seeds: tuple[str, ...]
    mean: float | None
    reference_mean: float | None
    difference: float | None
    interval: tuple[float, float] | None
    level: float

    @property
    def excludes_zero(self) -> bool | None:
        """Whether the interval excludes zero; None without one."""
        return None if self.interval is None else not self.interval[0] <= 0 <= self.interval[1]


def against_best(groups: Sequence[Group], confidence: float) -> list[Difference]:
    """Return the difference of every group from the first, which is the best (see `group`).

    With more than two groups that have values, each interval is widened after Bonferroni (O. J. Dunn, "Multiple
    comparisons among means", JASA 56, 1961): with probability `confidence` or more, all of them hold together. All
    k(k-1)/2 pairs are counted and not only the k-1 that are shown, because which group is the best, and so which
    pairs are shown, is told from the same runs. It costs width where there are many groups and few seeds, and is right
    however the pairs depend on one another.
    """
    best, *others = groups
    level = 1 - (1 - confidence) / max(1, pairs(groups))
    return [difference(other, best, level) for other in others]


def pairs(groups: Sequence[Group]) -> int:
    """Return how many pairs there are among the groups that have values."""
    return math.comb(sum(bool(group.values) for group in groups), 2)


def difference(group: Group, reference: Group, level: float) -> Difference:
    """Compare two groups by Student's t over the pairs (Student, "The probable error of a mean", Biometrika 6, 1908).

    With n differences of mean d and sample standard deviation s the interval is d ± t s/√n, t the quantile
    (1 + level)/2 of Student's distribution with n - 1 degrees of freedom. It supposes differences that are drawn
    independently from a normal distribution.
    """
    seeds = tuple(seed for seed in group.values if seed in reference.values)
    if not seeds:
        return Difference(group, reference, seeds, None, None, None, None, level)
    ours, theirs = ([one.values[seed] for seed in seeds] for one in (group, reference))
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    n = len(seeds)
    middle = math.fsum(differences) / n
    interval = None
    if max(differences) - min(differences) > ROUNDING * max(map(abs, (*ours, *theirs))):
        from scipy.special import stdtrit  # Student's quantiles, without the half second of scipy.stats

        deviation = math.sqrt(math.fsum((value - middle) ** 2 for value in differences) / (n - 1))
        half = -float(stdtrit(n - 1, (1 - level) / 2)) * deviation / math.sqrt(n)
        interval = middle - half, middle + half
    return Difference(group, reference, seeds, math.fsum(ours) / n, math.fsum(theirs) / n, middle, interval, level)
