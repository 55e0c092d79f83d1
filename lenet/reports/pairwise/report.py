"""What a comparison by pairs says: a table, and what it means in words."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from lenet.common.tables import Format, number, to_data, to_table
from lenet.errors import UserError
from lenet.reports.pairwise.difference import Difference, against_best, pairs
from lenet.reports.pairwise.groups import Group, group
from lenet.tracking.record import RunRecord

LINE = 80
NAME = 22
"""Characters of a group's name in a table; if any is longer, all are numbered."""


def report(runs: Sequence[RunRecord], metric: str, confidence: float, form: Format) -> str:
    """Return how the groups of `runs` compare, as text that ends in a line's end.

    `csv` and `json` have a row for each group but the best, with all numbers as they are. Raises `UserError` where
    there is one group only, where a seed is ambiguous (see `group`), or where no run counts.
    """
    groups = group(runs, metric)
    if len(groups) < 2:
        raise UserError(
            "--pairwise: these runs are one group: they differ in no parameter but the seed. Choose runs of two "
            "configurations, such as those of a sweep: optimizer=sgd,momentum seed=0,1,2,3 -m."
        )
    if not groups[0].values:
        reasons = "; ".join(f"{one.name}: {', '.join(one.left_out)}" for one in groups)
        raise UserError(f"--pairwise: there is nothing to compare, since every run is left out. {reasons}.")
    differences = against_best(groups, confidence)
    if form == "json" or form == "csv":
        return to_data([_row(each, metric, confidence) for each in differences], form)
    names = {one.name: one.name for one in groups}
    if max(map(len, names)) > NAME:
        names = {one.name: f"group {number}" for number, one in enumerate(groups, 1)}
    table = to_table([_shown(each, names) for each in differences], form, right=("n",))
    sentences = list(_sentences(groups, differences, metric, confidence, names))
    if form == "markdown":
        return f"{table}\n" + "\n".join(f"- {sentence}" for sentence in sentences) + "\n"
    return f"{table}\n" + "\n".join(textwrap.fill(each, LINE, subsequent_indent="  ") for each in sentences) + "\n"


def _row(difference: Difference, metric: str, confidence: float) -> dict[str, Any]:
    low, high = difference.interval or (None, None)
    ours, theirs = difference.group, difference.reference
    return {
        "group": ours.name,
        "best": theirs.name,
        "metric": metric,
        "n": len(difference.seeds),
        "seeds": " ".join(difference.seeds),
        "mean": difference.mean,
        "best_mean": difference.reference_mean,
        "difference": difference.difference,
        "low": low,
        "high": high,
        "confidence": confidence,
        "interval_level": difference.level,
        "excludes_zero": difference.excludes_zero,
        "left_out": "; ".join(ours.left_out),
        "best_left_out": "; ".join(theirs.left_out),
    }


def _shown(difference: Difference, names: dict[str, str]) -> dict[str, str]:
    interval = difference.interval
    return {
        "group": names[difference.group.name],
        "n": str(len(difference.seeds)),
        "mean": number(difference.mean),
        "best": number(difference.reference_mean),
        "difference": _signed(difference.difference),
        f"{_percent(difference.level)} interval": f"{_signed(interval[0])} … {_signed(interval[1])}"
        if interval
        else "–",
    }


def _sentences(
    groups: Sequence[Group], differences: Sequence[Difference], metric: str, confidence: float, names: dict[str, str]
) -> Iterator[str]:
    """Yield what the table means, one thing at a time."""
    best, family = groups[0], pairs(groups)
    yield f"{metric}, means over the common seeds; best: {names[best.name]}, the others against it."
    for one in groups:
        if names[one.name] != one.name:
            yield f"{names[one.name]} is {one.name}."
    if family > 1:
        yield (
            f"Each interval is at {_percent(differences[0].level)}, so that all {family} pairs of groups hold together "
            f"at {_percent(confidence)} (Bonferroni): the best was chosen by the same runs."
        )
    together = f"at {_percent(confidence)}" + " for all pairs together" * (family > 1)
    for each in differences:
        yield f"{names[each.group.name]}: {_meaning(each, together)}"
        yield from _lacking(each, names)
    for one in groups:
        if one.left_out:
            yield f"Left out of {names[one.name]}: {len(one.left_out)} ({', '.join(one.left_out)})."


def _meaning(each: Difference, together: str) -> str:
    n = len(each.seeds)
    if not each.group.values:
        return "nothing is compared, since all its runs are left out."
    if each.difference is None:
        return "no seed in common with the best, nothing is compared."
    side = "lower" if each.difference < 0 else "higher"
    size = f"{abs(each.difference):.3g} {side} than the best"
    if n == 1:
        return f"{size} on the one common seed, {each.seeds[0]}; one difference has no interval."
    if each.interval is None and not each.difference:
        return f"the same as the best on each of {n} seeds; without any spread there is no interval."
    if each.interval is None:
        return f"{size} on each of {n} seeds alike; without any spread there is no interval."
    if each.excludes_zero:
        return f"{size} over {n} seeds; the interval excludes zero: they differ, {together}."
    return f"{size} over {n} seeds; the interval includes zero: these runs do not tell them apart, {together}."


def _lacking(each: Difference, names: dict[str, str]) -> Iterator[str]:
    for one, other in ((each.group, each.reference), (each.reference, each.group)):
        if other.values and (alone := [seed for seed in one.values if seed not in other.values]):
            seeds = f"seed{'s' * (len(alone) > 1)} {', '.join(alone)}"
            yield f"{names[other.name]} lacks {seeds} of {names[one.name]}, not compared."


def _signed(value: float | None) -> str:
    return "–" if value is None else "0" if not value else f"{value:+.3g}"


def _percent(share: float) -> str:
    """Return a share such as 0.99167 as `99.2 %`, with as many digits as tell it from the whole."""
    digits = next(
        (digits for digits in range(12) if abs(round(share * 100, digits) - share * 100) < (1 - share) * 5), 12
    )
    return f"{share * 100:.{digits}f} %"
