"""What tells runs apart: the parameters that differ, the metrics they reached, in an order."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lenet.common.tables import COLUMNS, WIDEST, Format, cut, display_width, number, to_data, to_table, to_tables
from lenet.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from lenet.tracking.record import RunRecord

METRICS = ("best/val_accuracy", "val/accuracy", "val/loss", "test/accuracy", "test/loss")
"""The metrics that are shown beside the one that is asked for, as far as any run has them."""

LEFT_OUT = "val/accuracy"
"""Of those, the one that a table has no room for."""

NEVER_DIFFER = ("sweep.", "hydra.", "tracking.", "trainer.checkpoints")
"""Beginnings of parameters that say where a run is kept, or what of it, not what it is."""

LAYERS = "network.layers."

OTHERS = ("run", "seconds", "status", "diverged", "run_id")
"""What is told of each run besides parameters and metrics."""


@dataclass(frozen=True)
class Comparison:
    """Runs in order, the best by `metric` first and those without it last; `keys` are the parameters that differ."""

    runs: "tuple[RunRecord, ...]"
    keys: tuple[str, ...]
    metric: str
    metrics: tuple[str, ...]

    def column(self, key: str) -> str:
        """Return what a parameter's column is called: `params.…` where something else is called the same."""
        return f"params.{key}" if key in (*OTHERS, *self.metrics) else key

    def rows(self) -> list[dict[str, Any]]:
        """Return everything that is told of each run, under full names; what a run does not have is None."""
        return [
            {
                "run": run.name,
                **{self.column(key): run.params.get(key) for key in self.keys},
                **{metric: run.metrics.get(metric) for metric in self.metrics},
                "seconds": round(run.end - run.start, 1) if run.end else None,
                "status": run.status,
                "diverged": run.diverged,
                "run_id": run.id,
            }
            for run in self.runs
        ]


def default_metric(runs: "Sequence[RunRecord]") -> str:
    """Return what runs are compared by unless it is said: the best accuracy, or where none has got so far, the last."""
    best, last = METRICS[:2]
    return last if any(last in run.metrics for run in runs) and not any(best in run.metrics for run in runs) else best


def compare(runs: "Sequence[RunRecord]", metric: str) -> Comparison:
    """Put runs in order, the best first.

    Raises `UserError` where no run has the metric.
    """
    recorded = sorted({name for run in runs for name in run.metrics})
    if metric not in recorded:
        accepted = ", ".join(recorded) or "none: these runs have recorded no metrics"
        raise UserError(f"--metric: no run has `{metric}`.{did_you_mean(metric, recorded)} Accepted: {accepted}.")
    sign = 1 if lower_is_better(metric) else -1

    def place(run: "RunRecord") -> float:
        value = run.metrics.get(metric, math.nan)
        return math.inf if math.isnan(value) else sign * value

    shown = [name for name in METRICS if name in recorded and name != metric]
    return Comparison(tuple(sorted(runs, key=place)), differing(runs), metric, (metric, *shown))


def lower_is_better(metric: str) -> bool:
    """Say whether a metric is better the smaller it is, as one is whose name speaks of loss or seconds."""
    return any(word in metric for word in ("loss", "seconds")) and "per_second" not in metric


def differing(runs: "Sequence[RunRecord]") -> tuple[str, ...]:
    """Return the parameters that do not have one value in all runs, in the order of the alphabet."""
    keys = {key for run in runs for key in run.params if not key.startswith(NEVER_DIFFER)}
    return tuple(key for key in sorted(keys) if len({run.params.get(key) for run in runs}) > 1)


def render(comparison: Comparison, form: Format, columns: int = COLUMNS) -> str:
    """Return a comparison as text that ends in a line's end.

    `csv` and `json` hold full names, numbers as they are and every id; the tables are for reading. A `table` is for a
    terminal of so many columns: metrics for which there is no room beside the parameters are not shown, losses first,
    and parameters for which there is none have a table of their own below.
    """
    rows = comparison.rows()
    if form == "json" or form == "csv":
        return to_data(rows, form)
    unsaid = _unsaid(comparison)

    def shown(metrics: Sequence[str]) -> list[dict[str, str]]:
        told = replace(comparison, metrics=tuple(metrics))
        return [_shown(row, told, unsaid) for row in rows]

    metrics = list(comparison.metrics)
    if form == "markdown":
        return to_table(shown(metrics), form)
    while len(metrics) > 1 and display_width(to_table(shown(metrics), form)) > columns:
        metrics.remove(next((metric for metric in reversed(metrics[1:]) if "loss" in metric), metrics[-1]))
    return to_tables(shown(metrics), columns)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return each key's last word, or the whole key where something else is called so."""
    words = [key.rpartition(".")[2] for key in keys]
    taken = {"run", "status", "id", "n", *(word for word in words if words.count(word) > 1)}
    return {key: word if word not in taken else key for key, word in zip(keys, words, strict=True)}


def _shown(row: Mapping[str, Any], comparison: Comparison, short: Mapping[str, str]) -> dict[str, str]:
    """Return what a table says of a run."""
    values = {key: row[comparison.column(key)] for key in short}
    parameters = {short[key]: cut("–" if value is None else value) for key, value in values.items()}
    wanted = [name for name in comparison.metrics if name != LEFT_OUT or name == comparison.metric]
    metrics = {_metric_name(name): number(row[name]) for name in wanted}
    status = {"status": "diverged" if row["diverged"] else row["status"]}
    if all(run.status == "FINISHED" and not run.diverged for run in comparison.runs):
        status = {}
    return {"run": cut(row["run"]), **parameters, **metrics, **status, "id": row["run_id"][:8]}


def _unsaid(comparison: Comparison) -> dict[str, str]:
    """Return short names of the parameters that differ, without those that the runs' names tell, as a sweep's do.

    Left out too are parameters of single layers that say what another says for all of them, as `network.activation`.
    """

    def values(key: str) -> tuple[str | None, ...]:
        return tuple(run.params.get(key) for run in comparison.runs)

    def tells(run: "RunRecord", key: str, word: str) -> bool:
        return f"{word}={run.params.get(key)}" in run.name.split(",") and len(run.name) <= WIDEST

    said = {values(key) for key in comparison.keys if not key.startswith(LAYERS)}
    keys = [key for key in comparison.keys if not key.startswith(LAYERS) or values(key) not in said]
    short = short_names(keys)
    return {key: word for key, word in short.items() if not all(tells(run, key, word) for run in comparison.runs)}


def _metric_name(name: str) -> str:
    return {"best/val_accuracy": "best val"}.get(name, name.replace("accuracy", "acc").replace("/", " "))
