"""A sweep: a parent run with one nested run for each job, and the answer the jobs add up to."""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenet.arrays.backend import usable_cores
from lenet.common.files import try_folder
from lenet.common.flatten import flatten
from lenet.common.signals import StopRequests, shielded
from lenet.common.tables import cut
from lenet.configuration import sweeper
from lenet.configuration.build import Plan
from lenet.configuration.config import CommandLine, launch
from lenet.configuration.construct import call
from lenet.configuration.hydra_setup import offer_plugins
from lenet.configuration.search import SearchSettings, get_ready
from lenet.errors import UserError
from lenet.recorded.environment import git_state
from lenet.recorded.identity import code_digest
from lenet.running.progress import SweepBar
from lenet.sweeps import launcher
from lenet.sweeps.answer import register_best, resumption, sum_up
from lenet.sweeps.clusters.ready import ready
from lenet.sweeps.jobs import Event, Outcome, Said, SweepTask, job_name, swept_values
from lenet.sweeps.pool import Pool
from lenet.tracking.address import mask
from lenet.tracking.delivery import how_to_deliver
from lenet.tracking.failures import StoreAway, TrackingError
from lenet.tracking.finding import Finder, is_sweep
from lenet.tracking.operations import Status
from lenet.tracking.record import RunRecord
from lenet.tracking.run import Run
from lenet.tracking.store import Store
from lenet.tracking.tags import ERROR, JOB, SWEPT
from lenet.tracking.ui import how_to_look

log = logging.getLogger(__name__)


def run_sweep(command: CommandLine, plans: Sequence[Plan]) -> bool:
    """Run every job of a sweep under one parent run and sum them up; return whether all of them finished.

    A job that fails does not stop the others. `plans` are the jobs' checked plans, for what they have in common.
    """
    if moving := [key for key in command.swept if key.startswith(("tracking", "sweep", "hydra"))]:
        raise UserError(f"`{moving[0]}` cannot be swept over: all runs of a sweep are recorded in one place.")
    if len(places := {(plan.tracking.uri, plan.tracking.experiment) for plan in plans}) > 1:
        found = ", ".join(sorted(f"{experiment} in {mask(uri)}" for uri, experiment in places))
        raise UserError(f"`tracking` differs between the jobs: {found}. Accepted: one store and experiment for all.")
    if plans[0].sweep.register and not all(plan.trainer.keeps_last or plan.trainer.keeps_best for plan in plans):
        raise UserError(
            "sweep.register needs models, and trainer.checkpoints=none keeps none. Accepted: both, last or best."
        )
    search = _search(command)
    jobs = search.n_trials if search else len(plans)
    pool = _pool(command, plans, min(jobs, search.n_jobs) if search else jobs)
    offer_plugins({launcher.TARGET: launcher.ParallelLauncher, sweeper.TARGET: sweeper.GridSweeper})
    try_folder(Path(command.folder), "hydra.sweep.dir")
    for plan in plans:
        code_digest(plan.config)  # of the code as it is now, for all processes that are forked from this one
    with ready(command.launcher):
        store = Store(plans[0].tracking.uri, plans[0].tracking.experiment)
        store.close_gone()
        with StopRequests() as stop, pool:
            return _run(command, plans, jobs, store, pool, stop)


def _run(command: CommandLine, plans: Sequence[Plan], jobs: int, store: Store, pool: Pool, stop: StopRequests) -> bool:
    """Open the parent run, have the jobs run, and close it with its true status, whatever happens."""
    parent, earlier = _open_parent(command, plans, jobs, store)
    status: Status = "FAILED"
    to_do = True
    try:
        with closing(SweepBar("sweep", jobs)) as bar:
            conductor = SweepConductor(command, plans, pool, store, parent, bar, stop, {run.id for run in earlier})
            _launch(command, SweepTask(earlier, conductor), parent)
        is_done, to_do = _conclude(conductor, jobs, earlier)
        if is_done:
            status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        with shielded():
            if status == "KILLED":
                try:
                    store.close_lost(parent.id, "KILLED", "the sweep was interrupted")
                except TrackingError as error:
                    log.warning("its jobs could not be looked after: %s", error)
            parent.close(status)
            if to_do:
                log.info("to run what is missing:\n%s", resumption(command, parent.id))
    log.info("%s", how_to_look(store.uri, store.experiment_id, parent.id))
    return status == "FINISHED"


def _conclude(conductor: "SweepConductor", jobs: int, earlier: Sequence[RunRecord]) -> tuple[bool, bool]:
    """Sum up what the jobs have come to; return whether nothing is missing, and whether a resumption could do what is.

    It cannot register a model where all jobs have finished and none of them is the best.
    """
    store, parent, command = conductor.store, conductor.parent, conductor.command
    try:
        children = conductor.children()
        if store.deliver_ended([child.id for child in children]):
            children = conductor.children()
        best = sum_up(store, parent, children, jobs, command)
        store.mark_replaced(earlier, children)
        name = conductor.plans[0].sweep.register
        registered = name is None or register_best(store, parent, best, name)
    except StoreAway as error:
        log.warning(
            "the sweep cannot be summed up: the store does not answer (%s).\n"
            "Once it does, this delivers what is kept, and then sums it up:\n%s\n%s",
            error,
            how_to_deliver(store.uri),
            resumption(command, parent.id),
        )
        is_done = conductor.finished >= jobs
        return is_done, not is_done
    have_finished = len(children) >= jobs and all(child.status == "FINISHED" for child in children)
    return have_finished and registered, not have_finished or (not registered and best is not None)


def _open_parent(command: CommandLine, plans: Sequence[Plan], jobs: int, store: Store) -> tuple[Run, list[RunRecord]]:
    """Start the sweep's run, or take up the one that is to be continued; return the runs that it has already."""
    resumed = plans[0].sweep.resume
    if resumed is None:
        name = _sweep_name(command)
        params = {**_params(plans), **command.ranges}
        parent = store.start_run(name, kind="sweep", params=params, commit=git_state()["commit"])
        log.info("%s: %d runs", cut(name, 66), jobs)
        return parent, []
    record = Finder(store.uri).find(resumed)
    if not is_sweep(record):
        raise UserError(f"sweep.resume: `{record.name}` ({record.id}) is not a sweep. Accepted: the run of a sweep.")
    parent = store.reopen(record)
    log.info("%s goes on:\n%d runs, those that have finished counted in", cut(parent.name, 68), jobs)
    return parent, store.children(parent.id)


def _launch(command: CommandLine, task: SweepTask, parent: Run) -> None:
    """Have Hydra give out the jobs; what it or a sweeper raises ends the sweep early, but not what has been done."""
    extra = [f"sweep.parent={parent.id}", f"sweep.keys=[{','.join(command.swept)}]"]
    try:
        launch(command, task, extra)
    except Exception as error:
        log.error("no more jobs are run: %s", " ".join(str(error).split()) or type(error).__name__)


@dataclass
class SweepConductor:
    """Shows how the jobs of a sweep go, and sees to those that are lost. `before` are the ids of runs it had before."""

    command: CommandLine
    plans: Sequence[Plan]
    pool: Pool
    store: Store
    parent: Run
    bar: SweepBar
    stop: StopRequests
    before: set[str]

    def __post_init__(self) -> None:
        self.counted: set[str] = set()
        self.finished = 0

    def children(self) -> list[RunRecord]:
        """Return the runs of the sweep's jobs: those of this time, and those from before that were counted in."""
        children = self.store.children(self.parent.id)
        return [child for child in children if child.id not in self.before or child.id in self.counted]

    def hear(self, job: int, event: Event) -> None:
        self.parent.beat()
        match event:
            case Said(level, text):
                log.log(level, "%s", text)
            case Outcome():
                self.counted |= {event.counted} if event.counted else set()
                self.finished += event.error is None
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
        try:
            left = self.store.close_lost(self.parent.id, "FAILED", reason, job)
            left = left or [child for child in self.children() if child.tags.get(JOB) == str(job)]
            name = left[0].name if left else self._record(job, reason)
        except (TrackingError, UserError) as error:
            log.warning("what became of job %d could not be recorded: %s", job, error)
            name = f"job {job}"
        log.error("%s failed: %s", cut(name, 40), reason)

    def _record(self, job: int, reason: str) -> str:
        """Record a job that was lost before it had a run, and return its name."""
        name, swept, params = f"job {job}", {}, {}
        if not self.command.is_search:  # of a search, only the sweeper knows what the job was
            swept = swept_values(self.command.jobs[job].overrides, self.command.swept)
            name, params = job_name(swept) or name, flatten(self.plans[job].config)
        tags = {JOB: str(job), ERROR: reason, SWEPT: json.dumps(swept)}
        self.store.start_run(name, kind="job", params=params, tags=tags, parent=self.parent.id).close("FAILED")
        return name


def _search(command: CommandLine) -> SearchSettings | None:
    """Return the settings of a search, if the sweep is one."""
    if not command.is_search:
        call(sweeper.GridSettings, _arguments(command.sweeper), "hydra.sweeper")
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


def _sweep_name(command: CommandLine) -> str:
    """Name a sweep by its experiment and what the command line sweeps: `sweep lr=0.005,0.01`, `sweep_lr seed=0,1`."""
    pairs = [text.partition("=") for text in command.overrides]
    values = {key.lstrip("+"): value for key, _, value in pairs}
    words = [f"{key.rpartition('.')[2]}={values[key]}" for key in command.swept if key in values]
    kind = "search" if command.is_search else "sweep"
    called = [command.experiment, kind] if command.experiment and command.is_search else [command.experiment or kind]
    return " ".join([*called, *words])[:250]


def _params(plans: Sequence[Plan]) -> dict[str, Any]:
    """Return what all jobs have in common, and for each key that differs all its values."""
    configs = [flatten(plan.config) for plan in plans]
    params: dict[str, Any] = {}
    for key in dict.fromkeys(key for config in configs for key in config):
        values = {str(config[key]): config[key] for config in configs if key in config}
        params[key] = next(iter(values.values())) if len(values) == 1 else ",".join(values)
    return params
