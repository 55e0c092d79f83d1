"""One run, from a checked plan to a closed MLflow run whose status is true whatever happened."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from lenet.arrays.shortage import memory_for_steps
from lenet.common.signals import StopRequests, shielded
from lenet.common.tables import cut
from lenet.configuration.build import Plan
from lenet.recorded.continuation import Continuation
from lenet.running.blame import naming_parts
from lenet.running.observation import Observer
from lenet.running.progress import NewDisplay, ProgressBar
from lenet.running.publishing import log_model, recall_best
from lenet.running.range_test import RangeTestRecorder
from lenet.running.recording import NAME_WIDTH, checkpoint_meta, describe, recorded
from lenet.running.session import Session, open_session, trainer_of
from lenet.running.telling import Teller, telling
from lenet.running.workbench import Workbench
from lenet.schedules import RangeTest
from lenet.tracking.tags import DIVERGED, STOPPED_EARLY
from lenet.training.keeper import Keeper
from lenet.training.trainer import Progress, Record, Trainer

if TYPE_CHECKING:
    from lenet.tracking.run import Run

log = logging.getLogger(__name__)


def execute(
    plan: Plan,
    overrides: Sequence[str] = (),
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    bench: Workbench | None = None,
    display: NewDisplay = ProgressBar,
    earlier: Continuation | None = None,
) -> tuple[str, dict[str, float]]:
    """Train, test and record one run as its plan says; return its id and its final metrics.

    What is dear to get hold of comes from `bench` (None: a new one); `display` makes what shows how training goes;
    `earlier` is the run that goes on, if it is not a new one.

    Raises `UserError` where data or hardware cannot be had, or the run cannot go on, and then leaves no run or the
    earlier one as it was; for a sweep's job that is the job's failure, recorded as such. Raises `RunFailed` where the
    run raised and `KeyboardInterrupt` where it was asked to stop; its MLflow run is closed by then.
    """
    bench, batch = bench or Workbench(), plan.trainer.sampler.batch
    with StopRequests() as stop, ExitStack() as stack:
        recording = recorded(plan, overrides, name, tags or {}, bench, earlier)
        if plan.sweep.parent:
            run = stack.enter_context(recording)
        with stop.at_once(), naming_parts():
            session = stack.enter_context(open_session(plan, bench))
            with memory_for_steps(session.backend, batch):
                trainer = trainer_of(plan, session)
                if earlier:
                    earlier.restore(trainer, session.dataset.digest)
        if not plan.sweep.parent:
            # Only now, also because helpers that were forked before MLflow is imported stay small.
            run = stack.enter_context(recording)
        describe(plan, session, overrides, run, bench, earlier)
        if earlier:
            progress = trainer.progress
            within = progress.step - trainer.first_step(progress.epoch)
            where = f"epoch {progress.epoch + 1}, step {within + 1}" if within else f"epoch {progress.epoch + 1}"
            log.info("%s goes on from %s", cut(run.name, NAME_WIDTH), where if progress.step else "its start")
        checkpoint = earlier.checkpoint if earlier else None
        with memory_for_steps(session.backend, batch), telling(plan, trainer, run, checkpoint) as teller:
            metrics = _train(plan, session, trainer, overrides, run, stop, display, earlier, teller)
            teller.end(metrics)
        return run.id, metrics


def _train(
    plan: Plan,
    session: Session,
    trainer: Trainer,
    overrides: Sequence[str],
    run: "Run",
    stop: StopRequests,
    display: NewDisplay,
    earlier: Continuation | None,
    teller: Teller,
) -> dict[str, float]:
    """Train epoch by epoch, then score the last weights on the test set, once; `earlier` is restored already."""
    started = time.perf_counter()
    label = f"{run.name}: " if plan.sweep.parent else ""  # the lines of several jobs come mixed
    classes = session.network.classes
    range_test = RangeTestRecorder(run, classes, label) if isinstance(plan.schedule, RangeTest) else None

    def on_step(progress: Progress) -> None:
        stop.check()
        run.beat()
        keeper.on_step()
        bar.step(progress)

    records: list[Record] = []
    for record in trainer.progress.history:  # of a run that goes on; what is recorded already is left as it is
        records.append(record)
        run.log_metrics(record, step=len(records))
    bar = display(run.name, plan.trainer.epochs, trainer.steps_per_epoch)
    observer = Observer(trainer) if plan.trainer.figures == "all" else None
    if observer and earlier and earlier.checkpoint:
        observer.restore(earlier.checkpoint)
    meta = checkpoint_meta(plan, session)
    keeper = Keeper(
        trainer,
        plan.trainer,
        meta,
        run.log_bytes,
        lambda: {**(observer.state() if observer else {}), **teller.state()},
    )
    if earlier:
        recall_best(keeper, earlier.stored)
    try:
        if observer:
            observer.look()
        # A run that goes on may have waited long enough already.
        for record in () if keeper.has_waited else trainer.train(on_step, range_test):
            records.append(record)
            run.log_metrics(record, step=len(records))
            bar.epoch(len(records), record)
            if observer:
                observer.look()
            keeper.note_epoch()
            teller.epoch(len(records), record)
            keeper.save_if_due()
            if keeper.has_waited:
                break
        if keeper.has_waited:
            log.info("%sstopped early: no better val/accuracy for %d epochs", label, plan.trainer.early_stopping)
            run.set_tag(STOPPED_EARLY, "true")
        bar.step(trainer.progress)
    finally:
        bar.close()
        with shielded():
            keeper.try_to_save()
    if trainer.diverged:
        log.warning("%sdiverged in epoch %d; the last finite weights are kept", label, len(records))
        run.set_tag(DIVERGED, "true")
    stop.check()
    scores = session.engine.score("test")
    metrics = scores.summary("test")
    summary = f"test loss {metrics['test/loss']:.4f} acc {metrics['test/accuracy']:.4f}"
    if keeper.best_epoch is not None:
        metrics["best/val_accuracy"] = keeper.best_accuracy
        summary += f"  best val acc {keeper.best_accuracy:.4f} (epoch {keeper.best_epoch})"
    run.log_metrics(metrics, step=len(records))
    keeper.finish()
    seconds = time.perf_counter() - started
    if plan.sweep.parent:
        best = f"val acc {keeper.best_accuracy:.4f}  " if keeper.best_epoch is not None else ""
        log.info("%s: %stest acc %.4f  %.1f s", cut(run.name, NAME_WIDTH), best, metrics["test/accuracy"], seconds)
    log.log(logging.DEBUG if plan.sweep.parent else logging.INFO, "%s  %.1f s", summary, seconds)
    if plan.trainer.figures != "none":
        from lenet.running.figures import draw  # Matplotlib takes half a second to import

        for path, png in draw(session, scores, records, run.name, observer):
            stop.check()
            run.log_bytes(png, path)
    if range_test:
        range_test.conclude(overrides, figure=plan.trainer.figures != "none")
    stop.check()
    log_model(run, plan, session, keeper)
    return metrics
