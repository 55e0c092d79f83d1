"""What the runs of a sweep add up to: a row for each, and over several seeds a row for each group of them."""

import json
import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from lenet.common import tables
from lenet.common.names import shortened_or_cut
from lenet.common.tables import COLUMNS, TableForm, cut, display_width, to_data
from lenet.reports.comparison import short_names
from lenet.tracking.record import RunRecord
from lenet.tracking.tags import DIVERGED, SWEPT

RANKING = "best/val_accuracy"
METRICS = (RANKING, "val/accuracy", "val/loss", "test/accuracy", "test/loss")
SHOWN = {RANKING: "best val", "val/accuracy": "last val", "test/accuracy": "test acc", "test/loss": "test loss"}
"""The metrics that a terminal has room for, and what they are called there."""
SEED = "seed"
NAME = 24
"""Characters of a run's name in a terminal."""

Row = dict[str, Any]


def rows_of(children: Sequence[RunRecord]) -> list[Row]:
    """Return what the sweep's table says of each run, the best first and those that were not validated last."""
    return sorted(map(_row, children), key=lambda row: math.inf if math.isnan(row[RANKING]) else -row[RANKING])


def groups_of(rows: Sequence[Row], keys: Sequence[str]) -> list[Row]:
    """Return mean and sample standard deviation over the seeds of each setting, the best mean first.

    `keys` are those that were swept; where the seed is none of them there are no groups. `n` counts the runs that
    finished without diverging, of which the figures are; `failed` and `diverged` the others. The deviation of a
    single run is not a number.
    """
    if SEED not in keys:
        return []
    settings = [key for key in keys if key != SEED]
    members: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        members.setdefault(tuple(row.get(key) for key in settings), []).append(row)
    groups = []
    for setting, runs in members.items():
        good = [run for run in runs if run["status"] == "FINISHED" and run["diverged"] != "true"]
        counts = {
            "n": len(good),
            "diverged": sum(run["diverged"] == "true" for run in runs),
            "failed": sum(run["status"] != "FINISHED" and run["diverged"] != "true" for run in runs),
        }
        figures = {metric: _mean_and_deviation([run[metric] for run in good]) for metric in METRICS}
        groups.append({**dict(zip(settings, setting, strict=True)), **counts, **figures})
    return sorted(groups, key=lambda group: math.inf if math.isnan(group[RANKING][0]) else -group[RANKING][0])


def to_csv(rows: Sequence[Row]) -> str:
    """Return all rows with everything that is known of them."""
    return to_data(rows, "csv") if rows else "name\n"


def to_table(rows: Sequence[Row], form: TableForm = "table") -> str:
    """Return the rows as a table; in a terminal of at most 80 columns, the runs' names shortened."""
    names = [row["name"] for row in rows]
    shown = shortened_or_cut(names, NAME) if form == "table" else dict(zip(names, names, strict=True))
    return _table([_shown(row, shown[row["name"]]) for row in rows], form)


def to_group_table(groups: Sequence[Row], keys: Sequence[str], form: TableForm = "table") -> str:
    """Return the groups as a table: `mean ± standard deviation`; left out are runs that diverged or failed.

    In a terminal, metrics for which 80 columns have no room are not shown: the test loss first.
    """
    settings = [key for key in keys if key != SEED]
    any_left_out = any(group["diverged"] + group["failed"] for group in groups)
    metrics = [metric for metric in SHOWN if metric != "val/accuracy"]
    while True:
        shown = []
        for group in groups:
            left_out = {"left out": str(group["diverged"] + group["failed"])} if any_left_out else {}
            figures = {SHOWN[metric]: _pair(group[metric]) for metric in metrics}
            words = {name: cut(str(group[key]), 16) for key, name in short_names(settings).items()}
            shown.append({**words, "n": str(group["n"]), **figures, **left_out})
        table = _table(shown, form)
        if form != "table" or len(metrics) == 1 or display_width(table) <= COLUMNS:
            return table
        metrics.pop()


def to_markdown(rows: Sequence[Row], groups: Sequence[Row], keys: Sequence[str]) -> str:
    """Return the page `sweep/results.md`: the runs and, where there are any, the groups."""
    parts = ["# Runs", to_table(rows, "markdown")]
    if groups:
        parts += ["# Mean ± standard deviation over the seeds", to_group_table(groups, keys, "markdown")]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Mapping[str, str]], form: TableForm) -> str:
    """Return a table; in a terminal, headings of two words stand in two lines."""
    if form == "table":
        rows = [{name.replace(" ", "\n"): text for name, text in row.items()} for row in rows]
    return tables.to_table(rows, form).rstrip("\n")


def swept_of(child: RunRecord) -> dict[str, str]:
    """Return a job's values of the swept keys; none where they were too long for a tag, which cuts them."""
    try:
        return dict(json.loads(child.tags.get(SWEPT, "{}")))
    except json.JSONDecodeError:
        return {}


def _row(child: RunRecord) -> Row:
    swept = swept_of(child)
    metrics = {metric: child.metrics.get(metric, math.nan) for metric in METRICS}
    seconds = round(child.end - child.start, 1) if child.end else math.nan
    diverged = child.tags.get(DIVERGED, "false")
    rest = {"seconds": seconds, "status": child.status, "diverged": diverged, "run_id": child.id}
    return {"name": child.name, **swept, **metrics, **rest}


def _shown(row: Row, name: str) -> Mapping[str, str]:
    return {
        "run": name,
        **{name: _number(row[metric]) for metric, name in SHOWN.items()},
        "seconds": _number(row["seconds"], 1),
        "status": "diverged" if row["diverged"] == "true" else row["status"],
    }


def _mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    known = [value for value in values if math.isfinite(value)]
    return (mean(known) if known else math.nan), (stdev(known) if len(known) > 1 else math.nan)


def _pair(figures: tuple[float, float]) -> str:
    middle, deviation = figures
    return _number(middle) + (f" ± {_number(deviation)}" if not math.isnan(deviation) else "")


def _number(value: float, digits: int = 4) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
