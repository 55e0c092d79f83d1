"""One run, from a checked plan to a closed MLflow run whose status is true whatever happened."""

import io
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal

import yaml

from lenet import blas
from lenet.build import Plan
from lenet.errors import Failure, UserError
from lenet.flatten import flatten
from lenet.identity import CODE, CONFIG, DATA, code_digest, config_digest
from lenet.progress import NewDisplay, ProgressBar, layer_table
from lenet.range_test import RangeTestRecorder
from lenet.schedules import RangeTest
from lenet.session import Session, open_session
from lenet.signals import StopRequests, shielded
from lenet.tables import cut
from lenet.tracking.address import masked
from lenet.tracking.tags import ERROR
from lenet.tracking.ui import how_to_look
from lenet.training.keeper import Keeper
from lenet.training.trainer import Progress, Record, Trainer
from lenet.workbench import Workbench

if TYPE_CHECKING:
    from lenet.tracking.run import Run

log = logging.getLogger(__name__)

NAME_WIDTH = 40
"""Characters of a job's name that its line on the terminal has room for."""


class RunFailed(Failure):
    """A run raised and is closed as FAILED; the message says why."""


def execute(
    plan: Plan,
    overrides: Sequence[str] = (),
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    bench: Workbench | None = None,
    display: NewDisplay = ProgressBar,
) -> dict[str, float]:
    """Train, test and record one run as its plan says; return its final metrics.

    What is dear to get hold of comes from `bench` (None: a new one); `display` makes what shows how training goes.

    Raises `UserError` where data or hardware cannot be had, and then leaves no run; for a sweep's job that is the
    job's failure, recorded as such. Raises `RunFailed` where the run raised and `KeyboardInterrupt` where it was asked
    to stop; its MLflow run is closed by then.
    """
    bench = bench or Workbench()
    with StopRequests() as stop, ExitStack() as stack:
        if plan.sweep.parent:
            run = stack.enter_context(_recorded(plan, name, tags, bench))
        with stop.at_once():
            session = stack.enter_context(open_session(plan, bench))
        if not plan.sweep.parent:
            # Only now, also because helpers that were forked before MLflow is imported stay small.
            run = stack.enter_context(_recorded(plan, name, tags, bench))
        _describe(plan, session, overrides, run, bench)
        return _train(plan, session, overrides, run, stop, display)


def _train(
    plan: Plan, session: Session, overrides: Sequence[str], run: "Run", stop: StopRequests, display: NewDisplay
) -> dict[str, float]:
    """Train epoch by epoch, then score the last weights on the test set, once."""
    started = time.perf_counter()
    label = f"{run.name}: " if plan.sweep.parent else ""  # the lines of several jobs come mixed
    records: list[Record] = []
    classes = session.network.classes
    range_test = RangeTestRecorder(run, classes, label) if isinstance(plan.schedule, RangeTest) else None

    def on_step(progress: Progress) -> None:
        stop.check()
        run.beat()
        bar.step(progress)

    trainer = Trainer(
        engine=session.engine,
        optimizer=plan.optimizer,
        schedule=plan.schedule,
        sampler=plan.trainer.sampler,
        epochs=plan.trainer.epochs,
        seed=plan.seed,
        validate=lambda epoch: session.validate(plan.seed, epoch),
        on_step=on_step,
        after_step=range_test,
    )
    bar = display(run.name, plan.trainer.epochs, trainer.steps_per_epoch)
    keeper = Keeper(trainer, plan.trainer, _meta(plan, session), run.log_bytes)
    try:
        for epoch, record in enumerate(trainer, start=trainer.progress.epoch + 1):
            records.append(record)
            run.log_metrics(record, step=epoch)
            bar.epoch(epoch, record)
            if keeper.after_epoch():
                log.info("%sstopped early: no better val/accuracy for %d epochs", label, plan.trainer.early_stopping)
                run.set_tag("stopped_early", "true")
                break
        bar.step(trainer.progress)
    finally:
        bar.close()
        with shielded():
            keeper.save()
    if trainer.diverged:
        log.warning("%sdiverged in epoch %d; the last finite weights are kept", label, len(records))
        run.set_tag("diverged", "true")
    stop.check()
    scores = session.engine.score("test")
    metrics = scores.summary("test")
    summary = f"test loss {metrics['test/loss']:.4f} acc {metrics['test/accuracy']:.4f}"
    if keeper.best_epoch is not None:
        metrics["best/val_accuracy"] = keeper.best_accuracy
        summary += f"  best val acc {keeper.best_accuracy:.4f} (epoch {keeper.best_epoch})"
    run.log_metrics(metrics, step=len(records))
    seconds = time.perf_counter() - started
    if plan.sweep.parent:
        best = f"val acc {keeper.best_accuracy:.4f}  " if keeper.best_epoch is not None else ""
        log.info("%s: %stest acc %.4f  %.1f s", cut(run.name, NAME_WIDTH), best, metrics["test/accuracy"], seconds)
    log.log(logging.DEBUG if plan.sweep.parent else logging.INFO, "%s  %.1f s", summary, seconds)
    if plan.trainer.figures != "none":
        from lenet.figures import draw  # Matplotlib takes half a second to import

        for path, png in draw(session, scores, records, run.name, plan.trainer.figures == "all"):
            stop.check()
            run.log_bytes(png, path)
    if range_test:
        range_test.conclude(overrides, figure=plan.trainer.figures != "none")
    return metrics


@contextmanager
def _recorded(plan: Plan, name: str | None, tags: Mapping[str, str] | None, bench: Workbench) -> "Iterator[Run]":
    """Open the MLflow run, and close it with its true status and its log, however the body ends."""
    store = bench.store(plan.tracking)
    if not plan.sweep.parent:
        store.close_gone()
    run = store.start_run(
        name,
        kind="job" if plan.sweep.parent else "run",
        params=flatten(plan.config),
        tags={CONFIG: config_digest(plan.config), CODE: code_digest(plan.config), **(tags or {})},
        parent=plan.sweep.parent,
        commit=bench.commit,
    )
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("lenet")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    status: Literal["FINISHED", "FAILED", "KILLED"] = "FAILED"
    reason = ""
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        kept = " with its last checkpoint" if plan.trainer.keeps_last else ""
        log.warning("%s: interrupted, closed as KILLED%s", cut(run.name, NAME_WIDTH), kept)
        reason = "it was asked to stop (Ctrl-C or SIGTERM)"
        raise
    except Exception as error:
        expected = isinstance(error, UserError | Failure)
        reason = str(error) if expected else f"{type(error).__name__}: {error}"
        if plan.sweep.parent:  # its line is one of many; the log has it all
            log.error("%s failed: %s", cut(run.name, NAME_WIDTH), reason)
            log.debug("failed:", exc_info=not expected)
        else:
            log.error("failed: %s", reason, exc_info=not expected)
        raise RunFailed(f"run {run.name} failed: {reason}") from error
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        with shielded():
            try:
                if reason:
                    run.set_tag(ERROR, reason)
                run.log_text(text.getvalue(), "log.txt")
            finally:
                run.close(status)
    if not plan.sweep.parent:
        log.info("%s", how_to_look(store.uri, store.experiment_id))


def _describe(plan: Plan, session: Session, overrides: Sequence[str], run: "Run", bench: Workbench) -> None:
    """Record and show what the run is made of, before it starts."""
    data, tables = session.dataset, session.engine.tables
    run.log_text(json.dumps(bench.environment(session.backend.gpu), indent=2), "environment.json")
    run.log_dataset(data.name, data.digest, data.source)
    run.set_tag(DATA, data.digest)
    run.log_text(yaml.safe_dump(dict(plan.config), sort_keys=False), "config/config.yaml")
    run.log_text(yaml.safe_dump(masked(list(overrides))), "config/overrides.yaml")
    size = "×".join(map(str, data.train_images.shape[1:]))
    level = logging.DEBUG if plan.sweep.parent else logging.INFO  # a sweep's jobs are much alike
    log.log(level, "run %s on %s: images of %s in %d classes,", run.name, data.name, size, len(data.classes))
    sizes = len(tables["train"]), session.validation_size, len(tables["test"])
    log.log(level, "%s to train on, %s to validate, %s to test", *(f"{count:,}" for count in sizes))
    log.log(level, "backend %s, %s", session.backend.name, session.backend.reason)
    slow = blas.outdated((blas.describe() or {}).get("kernel"), blas.processor_flags())
    if slow and session.backend.name == "numpy":
        log.log(logging.DEBUG if plan.sweep.parent else logging.WARNING, "%s", slow)
    log.log(level, "\n%s\n", layer_table(session.network.summaries))


def _meta(plan: Plan, session: Session) -> dict[str, Any]:
    """Return what a checkpoint says besides its arrays: enough to rebuild the network and feed it."""
    return {
        "config": {key: value for key, value in plan.config.items() if key != "tracking"},
        "classes": list(session.dataset.classes),
        "input_shape": list(session.network.input_shape),
        "scaling": {"shift": session.shift, "scale": session.scale},
        "data_digest": session.dataset.digest,
    }
