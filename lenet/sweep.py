"""A sweep: a parent run with one nested run for each job, and the answer the jobs add up to."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenet import launcher, sweeper
from lenet.answer import resumption, sum_up
from lenet.backend import usable_cores
from lenet.build import Plan
from lenet.clusters.ready import ready
from lenet.config import CommandLine, launch, offer_plugins
from lenet.construct import call
from lenet.environment import git_state
from lenet.errors import UserError
from lenet.flatten import flatten
from lenet.identity import CONFIG, config_digest
from lenet.jobs import Event, Outcome, Said, SweepTask
from lenet.pool import Pool
from lenet.progress import SweepBar
from lenet.search import SearchSettings, get_ready
from lenet.signals import StopRequests, shielded
from lenet.tracking.finding import Finder, is_sweep
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
    search = _search(command)
    jobs = search.n_trials if search else len(plans)
    pool = _pool(command, plans, min(jobs, search.n_jobs) if search else jobs)
    offer_plugins({launcher.TARGET: launcher.ParallelLauncher, sweeper.TARGET: sweeper.GridSweeper})
    _try_output_folder(command)
    tracking = plans[0].tracking
    store = Store(tracking.uri, tracking.experiment)
    store.close_gone()
    earlier: dict[str, RunRecord] = {}
    if plans[0].sweep.resume is not None:
        record = _sweep_named(plans[0].sweep.resume, store.uri)
        parent = store.reopen(record)
        earlier = _latest(store.children(parent.id))
        log.info("%s (%s) goes on: %d runs, those that have finished counted in", parent.name, parent.id, jobs)
    else:
        name = _sweep_name(command)
        params = {**_params(plans), **command.ranges}
        parent = store.start_run(name, kind="sweep", params=params, commit=git_state()["commit"])
        log.info("%s: %d runs", name, jobs)
    extra = [f"sweep.parent={parent.id}", f"sweep.keys=[{','.join(command.swept)}]"]
    complete = False
    try:
        with StopRequests() as stop, pool, closing(SweepBar("sweep", jobs)) as bar:
            launch(command, SweepTask(earlier, LocalConductor(pool, store, parent, bar, stop)), extra)
        children = store.children(parent.id)
        if earlier:
            latest = _latest(children)
            wanted = list(latest) if search else list(dict.fromkeys(config_digest(plan.config) for plan in plans))
            children = [latest[digest] for digest in wanted if digest in latest]
            jobs = len(wanted)
        sum_up(store, parent, children, jobs, command)
        complete = len(children) >= jobs and all(child.status == "FINISHED" for child in children)
    except KeyboardInterrupt:
        with shielded():
            store.close_lost(parent.id, "KILLED", "the sweep was interrupted")
            parent.close("KILLED")
        log.info("to go on: %s", resumption(command, parent.id))
        raise
    finally:
        parent.close("FINISHED" if complete else "FAILED")  # does nothing where it is closed already
    log.info("%s", how_to_look(store.uri, store.experiment_id, parent.id))
    if not complete:
        log.info("to try what is missing again: %s", resumption(command, parent.id))
    return complete


def _sweep_named(text: str, uri: str) -> RunRecord:
    """Return the sweep that `sweep.resume` names."""
    record = Finder(uri).find(text)
    if not is_sweep(record):
        raise UserError(f"sweep.resume: `{record.name}` ({record.id}) is not a sweep. Accepted: the run of a sweep.")
    return record


def _latest(children: Sequence[RunRecord]) -> dict[str, RunRecord]:
    """Return the last run of each configuration, by its digest."""
    return {child.tags[CONFIG]: child for child in children if CONFIG in child.tags}


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


def _search(command: CommandLine) -> SearchSettings | None:
    """Return the settings of a search, if the sweep is one."""
    if not command.is_search:
        return None
    get_ready()
    if not command.ranges:
        raise UserError("a search needs a range: optimizer.lr='tag(log, interval(0.001, 0.3))', or values: key=a,b.")
    return call(SearchSettings, _arguments(command.sweeper), "hydra.sweeper")


def _pool(command: CommandLine, plans: Sequence[Plan], jobs: int) -> Pool:
    """Return the processes that the jobs run in, if it is our launcher that runs them: as many as the machine bears."""
    ours = command.launcher.get("_target_") == launcher.TARGET
    settings = call(launcher.ParallelSettings, _arguments(command.launcher) if ours else {}, "hydra.launcher")
    gpu = any(plan.backend.takes_gpu() for plan in plans)
    threads = max(plan.backend.threads or 1 for plan in plans)
    most = 1 if gpu else max(1, usable_cores() // threads)
    # What has asked for a GPU can no longer be forked.
    return Pool(settings.workers or min(most, jobs), settings.start or ("spawn" if gpu else None))


def _arguments(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "_target_"}


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


def _sweep_name(command: CommandLine) -> str:
    """Name a sweep by what it sweeps: `sweep lr=0.005,0.01`."""
    pairs = [text.partition("=") for text in command.overrides]
    values = {key.lstrip("+"): value for key, _, value in pairs}
    words = [f"{key.rpartition('.')[2]}={values[key]}" for key in command.swept if key in values]
    return " ".join(["search" if command.is_search else "sweep", *words])[:250]


def _params(plans: Sequence[Plan]) -> dict[str, Any]:
    """Return what all jobs have in common, and for each key that differs all its values."""
    configs = [flatten(plan.config) for plan in plans]
    params: dict[str, Any] = {}
    for key in dict.fromkeys(key for config in configs for key in config):
        values = {str(config[key]): config[key] for config in configs if key in config}
        params[key] = next(iter(values.values())) if len(values) == 1 else ",".join(values)
    return params
