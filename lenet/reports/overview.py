"""What a store holds: a row for each run, the newest first, a sweep's jobs folded into the row of the sweep."""

import textwrap
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from lenet.common.tables import COLUMNS, Format, cut, number, to_data, to_fitting_table
from lenet.tracking.finding import BEST, is_sweep
from lenet.tracking.record import KIND, PARENT, RunRecord
from lenet.tracking.tags import REPLACED

BEST_ACCURACY, TEST_ACCURACY = "best/val_accuracy", "test/accuracy"
KEYS = ("experiment", "run_id", "name", "kind", "runs", "finished", "status", "diverged", "started", "seconds")
"""What is told of each run, besides its accuracies and the sweep that it is a job of."""
RIGHT = ("runs", "best\nval", "test\nacc", "time")
NAME = 50
"""Characters of an experiment's name."""
SHORTEST = 12
"""Characters of a run's name in a table, at least."""

Row = dict[str, Any]


def overview(
    runs: Iterable[RunRecord],
    experiments: Mapping[str, str],
    wanted: Collection[str] | None = None,
    status: str | None = None,
    unfolded: Collection[str] | None = (),
) -> list[Row]:
    """Return a row for each of the runs that are `wanted` (ids; None: all) and have this status, in their order.

    `experiments` are names by id. A job whose sweep has a row has none of its own, unless the sweep is one of those
    `unfolded` (ids; None: all), whose jobs follow it. A sweep's row counts its jobs and tells what the best of them
    reached. Those that a resumed sweep has run anew are left out.
    """
    runs = [run for run in runs if REPLACED not in run.tags]
    jobs: dict[str, list[RunRecord]] = {}
    for run in runs:
        if PARENT in run.tags:
            jobs.setdefault(run.tags[PARENT], []).append(run)
    rows = {run.id: _row(run, experiments[run.experiment_id], jobs.get(run.id, ())) for run in runs}
    kept = {key: row for key, row in rows.items() if (wanted is None or key in wanted) and status in (None, told(row))}
    told_of: list[Row] = []
    for key, row in kept.items():
        if row["sweep_id"] not in kept:
            below = jobs.get(key, ()) if unfolded is None or key in unfolded else ()
            told_of += [row, *(kept[job.id] for job in below if job.id in kept)]
    return told_of


def told(row: Row) -> str:
    """Return a row's status as it is asked for."""
    return "diverged" if row["diverged"] else str(row["status"]).lower()


def render(rows: Sequence[Row], form: Format, empty: Sequence[str] = ()) -> str:
    """Return the rows as text that ends in a line's end: by experiment in the tables, after which come `empty` ones.

    `csv` and `json` hold full names and ids, numbers as they are, and times in ISO 8601.
    """
    if form == "json" or form == "csv":
        blank = dict.fromkeys((*KEYS, BEST_ACCURACY, TEST_ACCURACY, "sweep_id"))
        return to_data(rows, form) if rows or form == "json" else to_data([blank], form).splitlines()[0] + "\n"
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["experiment"], []).append(row)
    texts = [f"{_heading(name, group, form)}\n\n{_table(group, form)}" for name, group in groups.items()]
    if empty:
        names = ", ".join(cut(name, NAME) for name in empty)
        texts.append(textwrap.fill(f"Without runs: {names}", COLUMNS, subsequent_indent="  ") + "\n")
    return "\n".join(texts) or "no runs\n"


def duration(seconds: float | None) -> str:
    """Return a time in at most six characters: `4.5s`, `12m34s`, `3h05m`, `2d03h`; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def _row(run: RunRecord, experiment: str, jobs: Sequence[RunRecord]) -> Row:
    best = _best(run, jobs)
    end = time.time() if run.status == "RUNNING" else run.end
    values = (
        *(experiment, run.id, run.name, run.tags.get(KIND, "run")),
        *((len(jobs), sum(job.status == "FINISHED" for job in jobs)) if jobs or is_sweep(run) else (None, None)),
        *(run.status, run.tags.get("diverged") == "true"),
        *(datetime.fromtimestamp(run.start).astimezone().isoformat(timespec="seconds"),),
        *(round(end - run.start, 1) if end else None,),
    )
    accuracies = {key: best.metrics.get(key) if best else None for key in (BEST_ACCURACY, TEST_ACCURACY)}
    return {**dict(zip(KEYS, values, strict=True)), **accuracies, "sweep_id": run.tags.get(PARENT)}


def _best(run: RunRecord, jobs: Sequence[RunRecord]) -> RunRecord | None:
    """Return whose accuracies are told: a sweep's best job, as it says itself or, before its end, as they show."""
    if not is_sweep(run):
        return run
    named = [job for job in jobs if job.id == run.tags.get(BEST)]
    validated = [job for job in jobs if job.metrics.get(BEST_ACCURACY, -1) >= 0]
    return next(iter(named), max(validated, key=lambda job: job.metrics[BEST_ACCURACY], default=None))


def _heading(name: str, rows: Sequence[Row], form: Format) -> str:
    sweeps = [row for row in rows if row["kind"] == "sweep"]
    alone = len(rows) - len(sweeps)
    counts = [f"{alone} run{'s' * (alone != 1)}"] * bool(alone or not sweeps)
    if sweeps:
        counts.append(f"{len(sweeps)} sweep{'s' * (len(sweeps) != 1)}")
    return f"{'### ' * (form == 'markdown')}{cut(name, NAME)}: {', '.join(counts)}"


def _table(rows: Sequence[Row], form: Literal["table", "markdown"]) -> str:
    """Return the rows as a table, in a terminal's one the names as wide as there is room for."""
    sweeps = {row["run_id"] for row in rows if row["runs"] is not None}
    longest = max(len(row["name"]) + 2 * (row["sweep_id"] in sweeps) for row in rows)
    return to_fitting_table(
        lambda width: [_shown(row, width, sweeps, form) for row in rows], longest, SHORTEST, form, RIGHT
    )


def _shown(row: Row, widest: int, sweeps: Collection[str], form: Format) -> dict[str, str]:
    """Return what a table says of a run; a job that stands below its sweep, one of `sweeps`, is marked."""
    runs, finished = row["runs"], row["finished"]
    best, test = RIGHT[1:3] if form == "table" else ("best val", "test acc")
    return {
        "id": row["run_id"][:8],
        "name": cut(row["name"], widest) if row["sweep_id"] not in sweeps else f"└ {cut(row['name'], widest - 2)}",
        "runs": "" if runs is None else f"{runs}" if runs == finished else f"{finished}/{runs}",
        "status": "diverged" if row["diverged"] else row["status"],
        "started": _date(row["started"]),
        best: number(row[BEST_ACCURACY]),
        test: number(row[TEST_ACCURACY]),
        "time": duration(row["seconds"]),
    }


def _date(text: str) -> str:
    """Return when something was, as `ls` does: with the time of day if it was this year."""
    date = datetime.fromisoformat(text)
    return f"{date:%m-%d %H:%M}" if date.year == datetime.now().year else f"{date:%Y-%m-%d}"
