"""What may be changed of a run that goes on, so that it comes out as one that was asked for so from its start."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lenet.checkpoint import Checkpoint
from lenet.common.flatten import flatten
from lenet.common.tables import cut
from lenet.configuration.build import Plan
from lenet.errors import UserError
from lenet.schedules import Clock, RangeTest
from lenet.training.keeper import best_of
from lenet.training.state import START, read_state
from lenet.training.trainer import Trainer

if TYPE_CHECKING:
    from lenet.tracking.record import RunRecord

CHANGEABLE = (
    "trainer.epochs",
    "trainer.early_stopping",
    "trainer.checkpoint_every",
    "trainer.figures",
    "backend.name",
    "backend.threads",
    "backend.device",
    "data.root",
    "data.images",
    "data.labels",
    "data.mirrors",
    "data.timeout",
)
"""What a run may be given another value of and still be the same: how far it goes, how it works, where its data are."""


def check_config(saved: Checkpoint, config: Mapping[str, Any]) -> None:
    """Raise `UserError` where a checkpoint was made by a run of another configuration."""
    told = saved.meta.get("config")
    made, wanted = (_identity(told if isinstance(told, dict) else {}), _identity(config))
    for key in [*made, *wanted]:
        if made.get(key) != wanted.get(key):
            found, expected = (cut(repr(values.get(key)), 60) for values in (made, wanted))
            raise UserError(
                f"checkpoint {saved.path}: was made with `{cut(key, 60)}` {found}, and the run's is {expected}. "
                "Accepted: the checkpoint that the run itself has written."
            )


def _identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return, flat, what of a configuration cannot be changed."""
    leaves = flatten({key: node for key, node in config.items() if key not in ("tracking", "sweep")})
    return {key: value for key, value in leaves.items() if key not in CHANGEABLE}


def check_work_left(record: "RunRecord", plan: Plan, before: Plan, saved: Checkpoint | None, epochs: int) -> None:
    """Raise `UserError` with the reason where a run has nothing left to do, or cannot go on so.

    `before` is its plan so far, and `epochs` are those of which something is recorded.
    """
    called = f"run `{record.name}` ({record.id})"
    finished, wanted = record.status == "FINISHED", plan.trainer.epochs
    if finished and isinstance(plan.schedule, RangeTest):
        raise UserError(f"{called} is a range test, which is not extended: start another one.")
    if finished and record.diverged:
        raise UserError(f"{called} diverged: more epochs would not change that.")
    if not saved:
        if finished:
            raise UserError(f"{called} is finished and has no checkpoints/last.npz from which it could go on.")
        if epochs and wanted != before.trainer.epochs:
            raise UserError(
                f"{called} has no checkpoint and goes on from its start, with the epochs it has recorded as they are: "
                f"trainer.epochs stays {before.trainer.epochs}."
            )
        return
    state = read_state(saved)
    within = any(name.startswith(START) for name in saved.arrays)
    done = max(state.epoch + within, epochs)
    if wanted < done or (finished and wanted == done):
        has = f"has {'finished' if finished else 'begun'} {done} epochs"
        raise UserError(
            f"{called} {has}, and trainer.epochs is {wanted}: nothing is left to do. "
            f"Accepted: trainer.epochs={done + 1 if finished else done} or more."
        )
    patience, old = plan.trainer.early_stopping, before.trainer.early_stopping
    if patience is not None and patience != old and (old is None or patience < old):
        raise UserError(
            f"{called}: trainer.early_stopping={patience} could have stopped it before. "
            f"Accepted: null{f', or more than {old}' if old else ''}."
        )
    if finished and plan.trainer.has_waited(state.epoch, best_of(state.history)[1]):
        raise UserError(
            f"{called} has stopped early after {state.epoch} epochs, and would again: trainer.early_stopping is "
            f"{patience}. Accepted besides trainer.epochs: a larger one, or null."
        )


def check_rates(trainer: Trainer, saved: Checkpoint, before: int) -> None:
    """Raise `UserError` where a step was taken at another rate, with `before` epochs, than with the trainer's.

    The trainer stands where the checkpoint says.
    """
    history = read_state(saved).history
    for step in range(trainer.progress.step if trainer.epochs != before else 0):
        then, now = (
            trainer.schedule(Clock(step, trainer.steps_per_epoch, epochs), history)
            for epochs in (before, trainer.epochs)
        )
        if then != now:
            rates = [f"{trainer.optimizer.lr * factor:g}" for factor in (then, now)]
            raise UserError(
                f"trainer.epochs: the schedule {type(trainer.schedule).__name__} spreads over all epochs: with "
                f"{trainer.epochs} of them step {step + 1} would have been taken at the rate {rates[1]}, and was with "
                f"{before} at {rates[0]}. Start another run, or choose a schedule that counts epochs."
            )
