"""How callbacks are told of a run, so that one that was interrupted comes out as one that never was.

A checkpoint holds what callbacks had recorded of the epochs they were told of. A run that goes on from it has these
recorded, if they are not yet, and tells of the epochs that were finished but not told of.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import StrictFloat, TypeAdapter, ValidationError

from lenet.callbacks import FOLDER, METRIC, Callback, RunView, metrics_of
from lenet.checkpoint import Checkpoint
from lenet.configuration.build import Plan
from lenet.errors import Failure, UserError
from lenet.training.trainer import Record, Trainer

if TYPE_CHECKING:
    from lenet.tracking.run import Run

log = logging.getLogger(__name__)

META = "callbacks"
"""What a checkpoint's `meta` calls the metrics that callbacks had recorded: one mapping for each epoch."""
RECORDED = TypeAdapter(list[dict[str, StrictFloat]])


class CallbackError(Exception):
    """A callback raised; the message says which, where and what."""


class Teller:
    """Tells the callbacks of a plan of the run that a trainer trains."""

    def __init__(self, plan: Plan, trainer: Trainer, run: "Run") -> None:
        self._trainer = trainer
        self._run = run
        self._recorded: list[dict[str, float]] = []
        self._told: list[tuple[str, Callback, RunView]] = [
            (
                name,
                callback,
                RunView(
                    id=run.id,
                    name=run.name,
                    epochs=trainer.epochs,
                    config=plan.config,
                    callback=name,
                    history=self._history,
                    parameters=self._parameters,
                    log_text=run.log_text,
                    log_bytes=run.log_bytes,
                ),
            )
            for name, callback in plan.callbacks.items()
        ]

    def begin(self, saved: Checkpoint | None) -> None:
        """Tell that training begins, or goes on from a checkpoint; raise `UserError` where that cannot be used."""
        if saved and self._told:
            self._recorded = self._read(saved)
        for epoch, metrics in enumerate(self._recorded, start=1):
            self._run.log_metrics(metrics, step=epoch)
        for name, callback, view in self._told:
            with _naming(name, "on_run_begin"):
                callback.on_run_begin(view)
        for epoch, record in list(enumerate(self._trainer.progress.history, start=1))[len(self._recorded) :]:
            self.epoch(epoch, record)

    def epoch(self, epoch: int, record: Record) -> None:
        """Tell what an epoch measured, and record what is returned."""
        metrics: dict[str, float] = {}
        for name, callback, view in self._told:
            with _naming(name, "on_epoch_end"):
                metrics |= metrics_of(name, callback.on_epoch_end(view, epoch, dict(record)))
        if metrics:
            self._run.log_metrics(metrics, step=epoch)
        self._recorded.append(metrics)

    def end(self, metrics: Mapping[str, float]) -> None:
        """Tell the final metrics."""
        for name, callback, view in self._told:
            with _naming(name, "on_run_end"):
                callback.on_run_end(view, dict(metrics))

    def failed(self, error: BaseException) -> None:
        """Tell what ends the run before its end."""
        for name, callback, view in self._told:
            try:
                callback.on_exception(view, error)
            except Exception:
                log.exception("`callbacks.%s` raised in on_exception:", name)

    def state(self) -> dict[str, Any]:
        """Return what is to stand in a checkpoint's `meta`: of finished epochs alone, and nothing without callbacks."""
        return {META: self._recorded[: self._trainer.progress.epoch]} if self._told else {}

    def _history(self) -> list[Record]:
        return [dict(record) for record in self._trainer.progress.history]

    def _parameters(self) -> dict[str, np.ndarray[Any, Any]]:
        network = self._trainer.network
        views = network.views(network.theta)
        return {name: np.array(network.backend.to_host(view), order="C") for name, view in views.items()}

    def _read(self, saved: Checkpoint) -> list[dict[str, float]]:
        epochs = self._trainer.progress.epoch
        accepted = f"accepted: what callbacks of this run recorded of at most {epochs} epochs."
        try:
            recorded = RECORDED.validate_python(saved.meta.get(META, []))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, (META, *problem["loc"])))
            raise UserError(f"checkpoint {saved.path}: `meta.{where}`: {problem['msg']}; {accepted}") from None
        names = {name for name, _, _ in self._told}
        for key in (key for metrics in recorded for key in metrics):
            folder, _, rest = key.partition("/")
            name, _, metric = rest.partition("/")
            if folder != FOLDER or name not in names or not METRIC.fullmatch(metric):
                raise UserError(f"checkpoint {saved.path}: `meta.{META}` has a metric {key[:100]!r}; {accepted}")
        if len(recorded) > epochs:
            raise UserError(f"checkpoint {saved.path}: `meta.{META}` has {len(recorded)} epochs; {accepted}")
        return recorded


@contextmanager
def telling(plan: Plan, trainer: Trainer, run: "Run", saved: Checkpoint | None) -> Iterator[Teller]:
    """Tell a plan's callbacks that training begins, or goes on from a checkpoint, and what the body raises."""
    teller = Teller(plan, trainer, run)
    try:
        teller.begin(saved)
        yield teller
    except BaseException as error:
        teller.failed(error)
        raise


@contextmanager
def _naming(name: str, method: str) -> Iterator[None]:
    """Say of what is raised within from which callback it comes; what is meant for users to read stays as it is."""
    try:
        yield
    except (UserError, Failure):
        raise
    except Exception as error:
        raise CallbackError(f"`callbacks.{name}` raised in {method}: {type(error).__name__}: {error}") from error
