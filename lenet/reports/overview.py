"""What a store holds: a row for each run, the newest first, a sweep's jobs folded into the row of the sweep."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lenet.tracking.finding import is_sweep
from lenet.tracking.record import KIND, PARENT, RunRecord
from lenet.tracking.tags import BEST, REPLACED

BEST_ACCURACY, TEST_ACCURACY = "best/val_accuracy", "test/accuracy"
KEYS = ("experiment", "run_id", "name", "kind", "runs", "finished", "status", "diverged", "started", "seconds")
"""What is told of each run, besides its accuracies and the sweep that it is a job of."""

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


def _row(run: RunRecord, experiment: str, jobs: Sequence[RunRecord]) -> Row:
    best = _best(run, jobs)
    end = time.time() if run.status == "RUNNING" else run.end
    values = (
        *(experiment, run.id, run.name, run.tags.get(KIND, "run")),
        *((len(jobs), sum(job.status == "FINISHED" for job in jobs)) if jobs or is_sweep(run) else (None, None)),
        *(run.status, run.diverged),
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
