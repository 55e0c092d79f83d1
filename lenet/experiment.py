"""One run, from a checked plan to a closed MLflow run whose status is true whatever happened."""

import io
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml

from lenet import environment
from lenet.build import Plan
from lenet.config import flatten
from lenet.errors import UserError
from lenet.progress import ProgressBar, layer_table
from lenet.session import Session, open_session
from lenet.signals import Interrupted, StopRequests
from lenet.tracking.address import tracking_uri
from lenet.tracking.run import Run, Status
from lenet.tracking.store import Kind, Store
from lenet.tracking.ui import how_to_look
from lenet.training.engine import Engine
from lenet.training.keeper import Keeper
from lenet.training.trainer import Progress, Record, Trainer

log = logging.getLogger(__name__)

ERROR = "lenet.error"
"""The tag that says why a run failed."""


class RunFailed(Exception):
    """A run raised and is closed as FAILED; the message says why."""


def execute(plan: Plan, overrides: Sequence[str] = (), name: str | None = None) -> dict[str, float]:
    """Train, test and record one run as its plan says; return its final metrics.

    Raises `UserError` where data or hardware cannot be had (without leaving a run, unless it is a sweep's job),
    `RunFailed` where the run raised, and `Interrupted` where it was asked to stop; the MLflow run is closed by then.
    """
    with StopRequests() as stop:
        try:
            session = open_session(plan, stop.check)
        except UserError as error:
            if plan.sweep.parent:
                run = _open_run(plan, _open_store(plan), name)
                run.set_tag(ERROR, str(error))
                run.close("FAILED")
            raise
        surroundings = environment.describe(session.backend.gpu)
        store = _open_store(plan)
        with _recorded(_open_run(plan, store, name, surroundings["git"]["commit"])) as run:
            run.log_text(json.dumps(surroundings, indent=2), "environment.json")
            _describe(plan, session, overrides, run)
            metrics = _train(plan, session, run, name, stop)
    if not plan.sweep.parent:
        log.info("%s", how_to_look(store.uri, store.experiment_id))
    return metrics


def _train(plan: Plan, session: Session, run: Run, name: str | None, stop: StopRequests) -> dict[str, float]:
    """Train epoch by epoch, then score the last weights on the test set, once."""
    started = time.perf_counter()
    records: list[Record] = []
    with Engine(session.network, session.tables, session.backend) as engine:
        bar = ProgressBar(run.name, plan.trainer.epochs, session.steps_per_epoch(plan.trainer.sampler))

        def on_step(progress: Progress) -> None:
            stop.check()
            bar.step(progress)

        trainer = Trainer(
            engine,
            plan.optimizer,
            plan.schedule,
            plan.trainer.sampler,
            plan.trainer.epochs,
            plan.seed,
            session.validator(engine, plan.seed),
            on_step,
        )
        keeper = Keeper(trainer, plan.trainer, _meta(plan, session), run.log_bytes)
        try:
            for epoch, record in enumerate(trainer, start=trainer.progress.epoch + 1):
                records.append(record)
                run.log_metrics(record, step=epoch)
                bar.epoch(epoch, record)
                if keeper.after_epoch():
                    log.info("stopped early: no better val/accuracy for %d epochs", plan.trainer.early_stopping)
                    run.set_tag("stopped_early", "true")
                    break
        finally:
            bar.step(trainer.progress)
            bar.close()
            keeper.save()
        if trainer.diverged:
            log.warning("diverged in epoch %d; the last finite weights are kept", len(records))
            run.set_tag("diverged", "true")
        stop.check()
        scores = engine.score("test")
    metrics = scores.summary("test")
    if keeper.best_epoch is not None:
        metrics["best/val_accuracy"] = keeper.best_accuracy
    run.log_metrics(metrics, step=len(records))
    summary = f"test loss {metrics['test/loss']:.4f}  test acc {metrics['test/accuracy']:.4f}"
    if keeper.best_epoch is not None:
        summary += f"  best val acc {keeper.best_accuracy:.4f} (epoch {keeper.best_epoch})"
    log.info("%s%s  %.1f s", f"{name}: " if name else "", summary, time.perf_counter() - started)
    if plan.trainer.figures != "none":
        from lenet.figures import draw  # Matplotlib takes half a second to import

        for path, png in draw(session, scores, records, run.name):
            stop.check()
            run.log_bytes(png, path)
    return metrics


def _open_store(plan: Plan) -> Store:
    return Store(tracking_uri(plan.tracking.uri), plan.tracking.experiment)


def _open_run(plan: Plan, store: Store, name: str | None, commit: str | None = None) -> Run:
    """Open the MLflow run: a sweep's job under its parent, anything else on its own."""
    kind: Kind = "job" if plan.sweep.parent else "run"
    return store.start_run(name, kind=kind, params=flatten(plan.config), parent=plan.sweep.parent, commit=commit)


@contextmanager
def _recorded(run: Run) -> Iterator[Run]:
    """Close the run with its true status and its log, however the body ends."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("lenet")
    logger.addHandler(handler)
    status: Status = "FINISHED"
    try:
        yield run
    except (Interrupted, KeyboardInterrupt):
        status = "KILLED"
        log.warning("interrupted: the run is closed as KILLED, with its last checkpoint")
        raise
    except Exception as error:
        status = "FAILED"
        reason = f"{type(error).__name__}: {error}"
        log.exception("failed: %s", reason)
        run.set_tag(ERROR, reason)
        raise RunFailed(reason) from error
    finally:
        logger.removeHandler(handler)
        run.log_text(text.getvalue(), "log.txt")
        run.close(status)


def _describe(plan: Plan, session: Session, overrides: Sequence[str], run: Run) -> None:
    """Record and show what the run is made of, before it starts."""
    data = session.dataset
    run.log_dataset(data.name, data.digest, data.source)
    run.log_text(yaml.safe_dump(dict(plan.config), sort_keys=False), "config/config.yaml")
    run.log_text(yaml.safe_dump(list(overrides)), "config/overrides.yaml")
    size = "×".join(map(str, data.train_images.shape[1:]))
    level = logging.DEBUG if plan.sweep.parent else logging.INFO  # a sweep's jobs are much alike
    log.log(level, "run %s on %s: images of %s in %d classes,", run.name, data.name, size, len(data.classes))
    sizes = len(session.tables["train"]), session.validation_size, len(session.tables["test"])
    log.log(level, "%s to train on, %s to validate, %s to test", *(f"{count:,}" for count in sizes))
    log.log(level, "backend %s, %s", session.backend.name, session.backend.reason)
    log.log(level, "\n%s\n", layer_table(session.network.summaries))


def _meta(plan: Plan, session: Session) -> dict[str, Any]:
    """Return what a checkpoint says besides its arrays: enough to rebuild the network and feed it."""
    return {
        "config": plan.config,
        "classes": list(session.dataset.classes),
        "input_shape": list(session.network.input_shape),
        "scaling": {"shift": session.shift, "scale": session.scale},
        "data_digest": session.dataset.digest,
    }
