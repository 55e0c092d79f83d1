"""A sweep: a parent run with one nested run for each job, and the answer the jobs add up to."""

import csv
import io
import logging
import math
from collections.abc import Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from tabulate import tabulate

from lenet.build import Plan, build
from lenet.config import CommandLine, flatten, launch, to_dict
from lenet.environment import git_state
from lenet.errors import UserError
from lenet.experiment import ERROR, RunFailed, execute
from lenet.signals import Interrupted
from lenet.tracking.address import tracking_uri
from lenet.tracking.run import Run
from lenet.tracking.store import RunRecord, Store
from lenet.tracking.ui import how_to_look

log = logging.getLogger(__name__)

RANKING = "best/val_accuracy"
METRICS = (RANKING, "val/accuracy", "val/loss", "test/accuracy", "test/loss")


def run_sweep(command: CommandLine, plans: Sequence[Plan]) -> bool:
    """Run every job of a sweep under one parent run and sum them up; return whether all of them finished.

    A job that fails does not stop the others. `plans` are the jobs' checked plans, for what they have in common.
    """
    tracking = plans[0].tracking
    store = Store(tracking_uri(tracking.uri), tracking.experiment)
    commit = git_state()["commit"]
    parent = store.start_run(_sweep_name(command), kind="sweep", params=_params(plans), commit=commit)
    log.info("%s: %d runs", parent.name, len(plans))
    keys = ",".join(command.swept)
    try:
        launch([f"sweep.parent={parent.id}", f"sweep.keys=[{keys}]", *command.arguments], run_job)
        children = store.children(parent.id)
        _sum_up(parent, children, command.swept)
    except (Interrupted, KeyboardInterrupt):
        parent.close("KILLED")
        raise
    except BaseException:
        parent.close("FAILED")
        raise
    complete = len(children) == len(plans) and all(child.status == "FINISHED" for child in children)
    parent.close("FINISHED" if complete else "FAILED")
    log.info("%s", how_to_look(store.uri, store.experiment_id, parent.id))
    return complete


def run_job(config: DictConfig) -> None:
    """Run one job of a sweep, as Hydra calls it; its failure is recorded in its own run and goes no further."""
    plan = build(to_dict(config))
    overrides = [text for text in HydraConfig.get().overrides.task if not text.startswith("sweep.")]
    try:
        execute(plan, overrides, job_name(overrides, plan.sweep.keys))
    except UserError as error:
        log.error("failed: %s", error)
    except RunFailed:
        pass  # it has been logged with its traceback
    except Interrupted as error:
        raise KeyboardInterrupt from error


def job_name(overrides: Sequence[str], keys: Sequence[str]) -> str:
    """Name a job by what differs: `lr=0.005`; with the key in full where its last word is not enough."""
    words = [key.rpartition(".")[2] for key in keys]
    parts = []
    for key, word in zip(keys, words, strict=True):
        value = next(text.partition("=")[2] for text in overrides if text.partition("=")[0].lstrip("+") == key)
        parts.append(f"{word if words.count(word) == 1 else key}={value}")
    return ",".join(parts)


def _sum_up(parent: Run, children: Sequence[RunRecord], keys: Sequence[str]) -> None:
    """Record the sweep's table, figure and best run on the parent, and show them."""
    rows = [_row(child, keys) for child in children]
    rows.sort(key=lambda row: math.inf if math.isnan(row[RANKING]) else -row[RANKING])
    parent.log_text(_to_csv(rows), "sweep/results.csv")
    log.info(
        "\n%s\n",
        tabulate([_shown(row) for row in rows], headers="keys", tablefmt="simple", disable_numparse=True),
    )
    for child in children:
        if child.status != "FINISHED":
            log.error("%s %s: %s", child.name, child.status, child.tags.get(ERROR, "no reason was recorded"))
    if not rows or math.isnan(rows[0][RANKING]):
        return
    best = rows[0]
    parent.set_tag("best_run", best["run_id"])
    log.info("best by validation accuracy: %s (%s)", best["name"], best["run_id"])
    from lenet import plots  # Matplotlib takes half a second to import

    if keys:
        parent.log_bytes(plots.to_png(plots.sweep(rows, keys[0], RANKING)), "figures/sweep.png")


def _row(child: RunRecord, keys: Sequence[str]) -> dict[str, Any]:
    """Return what the sweep's table says of one run."""
    swept = {key: child.params.get(key, "") for key in keys}
    metrics = {metric: child.metrics.get(metric, math.nan) for metric in METRICS}
    seconds = round(child.end - child.start, 1) if child.end else math.nan
    diverged = child.tags.get("diverged", "false")
    rest = {"seconds": seconds, "status": child.status, "diverged": diverged, "run_id": child.id}
    return {"name": child.name, **swept, **metrics, **rest}


def _shown(row: dict[str, Any]) -> dict[str, str]:
    """Return the columns that fit a terminal, formatted."""
    return {
        "run": row["name"],
        "best val": _number(row[RANKING]),
        "last val": _number(row["val/accuracy"]),
        "test acc": _number(row["test/accuracy"]),
        "test loss": _number(row["test/loss"]),
        "seconds": _number(row["seconds"], 1),
        "status": "diverged" if row["diverged"] == "true" else row["status"],
    }


def _number(value: float, digits: int = 4) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _to_csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["name"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _sweep_name(command: CommandLine) -> str:
    """Name a sweep by what it sweeps: `sweep lr=0.005,0.01`."""
    swept = [text for text in command.arguments if text.partition("=")[0].lstrip("+") in command.swept]
    words = [f"{key.rpartition('.')[2]}={value}" for key, _, value in (text.partition("=") for text in swept)]
    return f"sweep {' '.join(words)}"[:250] if words else "sweep"


def _params(plans: Sequence[Plan]) -> dict[str, Any]:
    """Return what all jobs have in common, and for each key that differs all its values."""
    configs = [flatten(plan.config) for plan in plans]
    params: dict[str, Any] = {}
    for key in configs[0]:
        values = list(dict.fromkeys(str(config.get(key)) for config in configs))
        params[key] = configs[0][key] if len(values) == 1 else ",".join(values)
    return params
