"""Runs grouped by all parameters that differ except the seed, one value for each seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lenet.errors import UserError
from lenet.reports.comparison import differing, lower_is_better
from lenet.reports.summary import SEED, swept_of
from lenet.tracking.record import PARENT, RunRecord

TARGET = "._target_"


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but the seed: the metric by seed, and what was left out and why."""

    name: str
    values: Mapping[str, float]
    left_out: tuple[str, ...]

    @property
    def mean(self) -> float:
        """The mean over the group's own seeds; not a number where there are none."""
        return math.fsum(self.values.values()) / len(self.values) if self.values else math.nan


def group(runs: Sequence[RunRecord], metric: str) -> list[Group]:
    """Return the groups, the best first: by mean, those of a single seed or none behind those of more.

    Left out are runs that did not finish, diverged, or have no finite value of the metric. Several runs of one seed
    in a group count once if they reached the same, as a repetition does. Raises `UserError` where they did not: then
    something that is no parameter differs (code, machine), and which of them counts is not to be guessed.
    """
    keys = [key for key in differing(runs) if key != SEED]
    members: dict[tuple[str | None, ...], list[RunRecord]] = {}
    for run in runs:
        members.setdefault(tuple(run.params.get(key) for key in keys), []).append(run)
    names = _names(keys, members)
    groups = [_group(name, members[setting], metric) for setting, name in names.items()]
    sign = 1 if lower_is_better(metric) else -1

    def place(group: Group) -> tuple[int, float]:
        return -min(len(group.values), 2), sign * group.mean if group.values else 0.0

    return sorted(groups, key=place)


def _group(name: str, runs: Sequence[RunRecord], metric: str) -> Group:
    values: dict[str, float] = {}
    counted: dict[str, RunRecord] = {}
    left_out = []
    for run in runs:
        seed = run.params.get(SEED)
        if seed is None or (why := _unfit(run, metric)):
            left_out.append(f"{run.name} has no seed" if seed is None else f"seed {seed} {why}")
        elif values.setdefault(seed, run.metrics[metric]) != run.metrics[metric]:
            first = counted[seed]
            raise UserError(
                f"--pairwise: `{name}` has runs of seed {seed} that reached different {metric}, although all "
                f"parameters are the same: {first.name} ({first.id}) and {run.name} ({run.id}). "
                "Name the runs or sweeps that are meant, or leave one out with --filter."
            )
        else:
            counted.setdefault(seed, run)
    return Group(name, {seed: values[seed] for seed in sorted(values, key=_order)}, tuple(left_out))


def _unfit(run: RunRecord, metric: str) -> str | None:
    """Return why a run does not count."""
    if run.diverged:
        return "diverged"
    if run.status != "FINISHED":
        return {"FAILED": "failed", "KILLED": "was interrupted", "RUNNING": "is not finished"}.get(
            run.status, run.status
        )
    value = run.metrics.get(metric)
    return f"has no {metric}" if value is None else None if math.isfinite(value) else f"has {metric} {value}"


def _names(
    keys: Sequence[str], members: Mapping[tuple[str | None, ...], Sequence[RunRecord]]
) -> dict[tuple[str | None, ...], str]:
    """Name each group by what was swept, in the user's own words, or by the parameters that differ.

    Only where all runs are of one sweep: in runs of several, other parameters may differ too.
    """
    sweeps = {run.tags.get(PARENT) for runs in members.values() for run in runs}
    swept = {setting: _swept(runs) for setting, runs in members.items()}
    if len(sweeps) == 1 and None not in sweeps and len(set(filter(None, swept.values()))) == len(members):
        return swept
    return {
        setting: ", ".join(_word(key, value) for key, value in zip(keys, setting, strict=True) if value is not None)
        or "the others"
        for setting in members
    }


def _swept(runs: Sequence[RunRecord]) -> str:
    """Return a sweep's words for a group, or nothing where its runs do not have the same."""
    words = {
        ", ".join(f"{key}={value}" for key, value in swept_of(run).items() if key.lstrip("+") != SEED) for run in runs
    }
    return words.pop() if len(words) == 1 else ""


def _word(key: str, value: str) -> str:
    """Return `optimizer=SGD` for `optimizer._target_` and `lenet.optimizers.SGD`."""
    short = key.endswith(TARGET) and value.startswith("lenet.")
    return f"{key.removesuffix(TARGET)}={value.rpartition('.')[2]}" if short else f"{key}={value}"


def _order(seed: str) -> tuple[int, int | str]:
    return (0, int(seed)) if seed.isdecimal() else (1, seed)
