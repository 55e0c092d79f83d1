"""A sweep: a parent run with one nested run for each job, and the answer the jobs add up to."""

import json
import logging
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lenet import summary
from lenet.build import Plan, build
from lenet.comparison import short_names
from lenet.config import CommandLine, launch, to_dict
from lenet.environment import git_state
from lenet.errors import UserError
from lenet.experiment import ERROR, RunFailed, execute
from lenet.flatten import flatten
from lenet.signals import StopRequests, shielded
from lenet.tracking.finding import BEST
from lenet.tracking.run import Run
from lenet.tracking.store import RunRecord, Store
from lenet.tracking.ui import how_to_look

log = logging.getLogger(__name__)


def run_sweep(command: CommandLine, plans: Sequence[Plan]) -> bool:
    """Run every job of a sweep under one parent run and sum them up; return whether all of them finished.

    A job that fails does not stop the others. `plans` are the jobs' checked plans, for what they have in common.
    """
    if moving := [key for key in command.swept if key.startswith(("tracking", "sweep", "hydra"))]:
        raise UserError(f"`{moving[0]}` cannot be swept over: all runs of a sweep are recorded in one place.")
    _try_output_folder(command)
    tracking = plans[0].tracking
    store = Store(tracking.uri, tracking.experiment)
    name = _sweep_name(command)
    parent = store.start_run(name, kind="sweep", params=_params(plans), commit=git_state()["commit"])
    log.info("%s: %d runs", name, len(plans))
    extra = [f"sweep.parent={parent.id}", f"sweep.keys=[{','.join(command.swept)}]"]
    complete = False

    def job(config: DictConfig) -> None:
        stop.check()
        run_job(config)
        stop.check()

    try:
        with StopRequests() as stop:  # between jobs too, where Hydra would not bear to be interrupted
            launch(command, job, extra)
        children = store.children(parent.id)
        _sum_up(store, parent, children, len(plans), command)
        complete = len(children) == len(plans) and all(child.status == "FINISHED" for child in children)
    except KeyboardInterrupt:
        with shielded():
            parent.close("KILLED")
        raise
    finally:
        parent.close("FINISHED" if complete else "FAILED")  # does nothing where it is closed already
    log.info("%s", how_to_look(store.uri, store.experiment_id, parent.id))
    return complete


def _try_output_folder(command: CommandLine) -> None:
    """Refuse to start where Hydra could not write its output folder: it would say so with a traceback, and late."""
    if any(override.startswith("hydra.sweep.dir") for override in command.overrides):
        return
    folder = Path("mlruns/hydra")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder.absolute()} cannot be made ({error.strerror}); run the sweep in a folder that can be written to, "
            "or name another one: hydra.sweep.dir=FOLDER."
        ) from error


def run_job(config: DictConfig) -> None:
    """Run one job of a sweep, as Hydra calls it; its failure is recorded in its own run and goes no further."""
    plan = build(to_dict(config))
    overrides = [text for text in HydraConfig.get().overrides.task if not text.startswith("sweep.")]
    swept = swept_values(overrides, plan.sweep.keys)
    try:
        execute(plan, overrides, job_name(swept), {summary.SWEPT: json.dumps(swept)})
    except RunFailed:
        pass  # said and recorded
    except Exception:
        log.exception("job %s failed before it could be recorded", job_name(swept))


def swept_values(overrides: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    """Return what a job's overrides say of the keys that differ between the jobs."""
    values = {key.lstrip("+"): value for key, _, value in (text.partition("=") for text in overrides)}
    return {key: values[key] for key in keys}


def job_name(swept: Mapping[str, str]) -> str | None:
    """Name a job by what differs: `lr=0.005`; with the key in full where its last word is not enough."""
    parts = [f"{name}={swept[key]}" for key, name in short_names(list(swept)).items()]
    return ",".join(parts)[:250] or None


def _sum_up(store: Store, parent: Run, children: Sequence[RunRecord], jobs: int, command: CommandLine) -> None:
    """Record the sweep's tables, figures and best run on the parent, and show them."""
    keys = command.swept
    rows = summary.rows_of(children)
    groups = summary.groups_of(rows, keys)
    parent.log_text(summary.to_csv(rows), "sweep/results.csv")
    parent.log_text(summary.to_markdown(rows, groups, keys), "sweep/results.md")
    log.info("\n%s\n", summary.to_table(rows))
    if groups:
        log.info("mean ± standard deviation over the seeds:\n\n%s\n", summary.to_group_table(groups, keys))
    for child in children:
        if child.status != "FINISHED":
            log.error("%s %s: %s", child.name, child.status, child.tags.get(ERROR, "no reason was recorded"))
    if len(children) < jobs:
        log.error("%d of %d jobs left no run", jobs - len(children), jobs)
    if not rows:
        return
    if not math.isnan(rows[0][summary.RANKING]):
        _record_best(parent, next(child for child in children if child.id == rows[0]["run_id"]), command)
    for name, figure in _figures(store, rows, keys):
        parent.log_bytes(figure, f"figures/{name}.png")


def _figures(store: Store, rows: Sequence[summary.Row], keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield a sweep's figures as PNG, by name: the metric by what was swept, all curves, and a map of two keys."""
    from lenet import plots  # Matplotlib takes half a second to import

    settings = [key for key in keys if key != summary.SEED]
    key = next(iter(settings), summary.SEED if keys else "name")
    yield "sweep", plots.to_png(plots.sweep(rows, key, summary.RANKING))
    for metric in ("val/accuracy", "val/loss"):
        histories = {row["name"]: store.history(row["run_id"], metric) for row in rows}
        yield f"curves_{metric.replace('/', '_')}", plots.to_png(plots.training_curves(histories, metric))
    if len(settings) == 2:
        yield "heat_map", plots.to_png(plots.heat_map(rows, settings[0], settings[1], summary.RANKING))


def _record_best(parent: Run, best: RunRecord, command: CommandLine) -> None:
    """Record on the parent which child is the best, what it is and reached, and the command that runs it again."""
    again = rerun(command, summary.swept_of(best))
    parent.set_tag(BEST, best.id)
    parent.set_tag("best_command", again)
    told = {"run_id": best.id, "name": best.name, "command": again, "params": best.params, "metrics": best.metrics}
    parent.log_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "sweep/best.json")
    log.info("best by validation accuracy: %s (%s); again:\n%s", best.name, best.id, again)


def rerun(command: CommandLine, swept: Mapping[str, str]) -> str:
    """Return the command that runs one job of a sweep by itself."""
    options = [option for option in command.options if option not in ("-m", "--multirun")]
    kept = [text for text in command.overrides if text.partition("=")[0].lstrip("+") not in swept]
    kept = [text for text in kept if not text.startswith("hydra.")]
    prefix = {
        text.partition("=")[0].lstrip("+"): text[: len(text) - len(text.lstrip("+"))] for text in command.overrides
    }
    values = [f"{prefix.get(key, '')}{key}={value}" for key, value in swept.items()]
    return shlex.join(["python", "-m", "lenet.run", *options, *kept, *values])


def _sweep_name(command: CommandLine) -> str:
    """Name a sweep by what it sweeps: `sweep lr=0.005,0.01`."""
    pairs = [text.partition("=") for text in command.overrides]
    values = {key.lstrip("+"): value for key, _, value in pairs}
    words = [f"{key.rpartition('.')[2]}={values[key]}" for key in command.swept if key in values]
    return " ".join(["sweep", *words])[:250]


def _params(plans: Sequence[Plan]) -> dict[str, Any]:
    """Return what all jobs have in common, and for each key that differs all its values."""
    configs = [flatten(plan.config) for plan in plans]
    params: dict[str, Any] = {}
    for key in dict.fromkeys(key for config in configs for key in config):
        values = {str(config[key]): config[key] for config in configs if key in config}
        params[key] = next(iter(values.values())) if len(values) == 1 else ",".join(values)
    return params
