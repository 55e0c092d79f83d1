"""A sweep: a parent run with one nested run for each job, and the answer the jobs add up to."""

import json
import logging
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenet import launcher, summary
from lenet.backend import usable_cores
from lenet.build import Plan
from lenet.clusters.ready import ready
from lenet.config import CommandLine, launch
from lenet.construct import call
from lenet.environment import git_state
from lenet.errors import UserError
from lenet.flatten import flatten
from lenet.jobs import Event, Outcome, Said, SweepTask
from lenet.pool import Pool
from lenet.progress import SweepBar
from lenet.signals import StopRequests, shielded
from lenet.tracking.finding import BEST
from lenet.tracking.gone import ERROR
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
    with ready(command.launcher):
        return _run(command, plans)


def _run(command: CommandLine, plans: Sequence[Plan]) -> bool:
    pool = _pool(command, plans)
    launcher.register()
    _try_output_folder(command)
    tracking = plans[0].tracking
    store = Store(tracking.uri, tracking.experiment)
    store.close_gone()
    name = _sweep_name(command)
    parent = store.start_run(name, kind="sweep", params=_params(plans), commit=git_state()["commit"])
    log.info("%s: %d runs", name, len(plans))
    extra = [f"sweep.parent={parent.id}", f"sweep.keys=[{','.join(command.swept)}]"]
    complete = False
    try:
        with StopRequests() as stop, pool, closing(SweepBar("sweep", len(plans))) as bar:
            launch(command, SweepTask(LocalConductor(pool, store, parent, bar, stop)), extra)
        children = store.children(parent.id)
        _sum_up(store, parent, children, len(plans), command)
        complete = len(children) == len(plans) and all(child.status == "FINISHED" for child in children)
    except KeyboardInterrupt:
        with shielded():
            store.close_lost(parent.id, "KILLED", "the sweep was interrupted")
            parent.close("KILLED")
        raise
    finally:
        parent.close("FINISHED" if complete else "FAILED")  # does nothing where it is closed already
    log.info("%s", how_to_look(store.uri, store.experiment_id, parent.id))
    return complete


@dataclass
class LocalConductor:
    """Shows how the jobs of a sweep go, and sees to those that are lost."""

    pool: Pool
    store: Store
    parent: Run
    bar: SweepBar
    stop: StopRequests

    def hear(self, job: int, event: Event) -> None:
        self.parent.beat()
        match event:
            case Said(level, text):
                log.log(level, "%s", text)
            case Outcome():
                self.bar.finish(job)
            case share:
                self.bar.advance(job, share)

    def check(self) -> None:
        self.parent.beat()
        self.stop.check()

    def lose(self, job: int, reason: str) -> None:
        self.bar.finish(job)
        if self.stop.requested:
            return  # it was asked to end, and did
        lost = self.store.close_lost(self.parent.id, "FAILED", reason, job)
        for run in lost:
            log.error("%s failed: %s", run.name, reason)
        if not lost:
            log.error("job %d of the sweep was lost: %s", job, reason)


def _pool(command: CommandLine, plans: Sequence[Plan]) -> Pool:
    """Return the processes that the jobs run in, if it is our launcher that runs them: as many as the machine bears."""
    ours = command.launcher.get("_target_") == launcher.TARGET
    node = {key: value for key, value in command.launcher.items() if ours and key != "_target_"}
    settings = call(launcher.ParallelSettings, node, "hydra.launcher")
    gpu = any(plan.backend.takes_gpu() for plan in plans)
    threads = max(plan.backend.threads or 1 for plan in plans)
    most = 1 if gpu else max(1, usable_cores() // threads)
    # What has asked for a GPU can no longer be forked.
    return Pool(settings.workers or min(most, len(plans)), settings.start or ("spawn" if gpu else None))


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
    kept = [text for text in kept if not text.startswith(("hydra.", "hydra/"))]
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
