"""Going on with a run: what may be changed of it, whether there is anything left to do, and from where it goes on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lenet.build import Plan, build
from lenet.checkpoint import Checkpoint
from lenet.composition import set_values
from lenet.errors import UserError
from lenet.flatten import flatten
from lenet.identity import DATA
from lenet.schedules import Clock, RangeTest
from lenet.stored import LOG_FILE, Stored
from lenet.tracking.tags import RESUMED
from lenet.training.keeper import best_of
from lenet.training.state import State, read_state, restore
from lenet.training.trainer import Trainer

if TYPE_CHECKING:
    from lenet.tracking.store import RunRecord

CHANGEABLE = (
    "trainer.epochs",
    "trainer.early_stopping",
    "trainer.checkpoint_every",
    "trainer.checkpoints",
    "trainer.figures",
    "backend.name",
    "backend.threads",
    "data.root",
    "data.images",
    "data.labels",
    "data.mirrors",
    "data.timeout",
)
"""What a run may be given another value of and still be the same run: how far it goes, what is kept, and where."""


@dataclass(frozen=True)
class Continuation:
    """A run that goes on from `checkpoint`, or from its start where that is None.

    `epochs_before` are those it was to train so far. `changed` are the parameters that its record tells otherwise, and
    `is_changed` says whether its configuration does. `config_text` is its configuration so far, None if it was not yet
    recorded; `log` its log.
    """

    record: "RunRecord"
    checkpoint: Checkpoint | None
    epochs_before: int
    changed: Mapping[str, str]
    is_changed: bool
    config_text: str | None
    log: str

    @property
    def number(self) -> int:
        """How often the run will have been resumed, this time included."""
        told = self.record.tags.get(RESUMED, "")
        return int(told) + 1 if told.isdigit() else 1

    def restore(self, trainer: Trainer, digest: str) -> None:
        """Have a new trainer go on from where the run stood.

        Raises `UserError`, with nothing changed, where `digest` is not that of the data the run was trained on, where
        the checkpoint does not fit, or where the trainer's epochs ask for other rates than those of the steps taken.
        """
        meta = self.checkpoint.meta if self.checkpoint else {}
        for known in (self.record.tags.get(DATA), meta.get("data_digest")):
            if known not in (None, digest):
                raise UserError(
                    f"run `{self.record.name}`: the data are not those that it was trained on: their digest is "
                    f"{digest}, and was {known}."
                )
        if self.checkpoint:
            _check_rates(trainer, read_state(self.checkpoint), self.epochs_before)
            restore(trainer, self.checkpoint)


def continuation(
    stored: Stored, overrides: Sequence[str], tracking: Mapping[str, Any], allowed: Collection[str]
) -> tuple[Plan, Continuation]:
    """Return the plan of a run that goes on, and how it does.

    `overrides` change values of `CHANGEABLE` keys, `tracking` says where the run is recorded, `allowed` are the modules
    besides lenet's own whose classes may be built. Raises `UserError` with the reason where the run cannot go on so.
    """
    from lenet.tracking.operations import PARAM_LENGTH, as_text  # MLflow takes more than a second to import

    record = stored.record
    before = {**stored.config, "tracking": tracking, "sweep": {}}
    config = set_values(before, overrides, CHANGEABLE)
    plan = build(config, allowed)
    # A range test is a run of a second, whose curve no checkpoint holds: it goes on from its start.
    saved = None if isinstance(plan.schedule, RangeTest) else stored.checkpoint("last")
    if saved:
        _check_config(saved, config)
    _check_work_left(record, plan, saved)
    known, now = flatten(before), flatten(config)
    told = {key: as_text(now[key], PARAM_LENGTH) for key in CHANGEABLE if key in now}
    changed = {key: value for key, value in told.items() if record.params.get(key) != value}
    return plan, Continuation(
        record=record,
        checkpoint=saved,
        epochs_before=int(before["trainer"]["epochs"]),
        changed=changed,
        is_changed=known != now,
        config_text=stored.config_text,
        log=stored.text(LOG_FILE) or "",
    )


def _check_config(saved: Checkpoint, config: Mapping[str, Any]) -> None:
    """Raise `UserError` where a checkpoint was made by a run of another configuration."""
    told = saved.meta.get("config")
    made, wanted = (_identity(told if isinstance(told, dict) else {}), _identity(config))
    for key in [*made, *wanted]:
        found, expected = made.get(key), wanted.get(key)
        if found != expected:
            raise UserError(f"checkpoint {saved.path}: was made with `{key}` {found!r}, and the run's is {expected!r}.")


def _identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return, flat, what of a configuration cannot be changed."""
    leaves = flatten({key: node for key, node in config.items() if key not in ("tracking", "sweep")})
    return {key: value for key, value in leaves.items() if key not in CHANGEABLE}


def _check_work_left(record: "RunRecord", plan: Plan, saved: Checkpoint | None) -> None:
    """Raise `UserError` with the reason where a run has nothing left to do, or less than it has done."""
    epochs, finished = plan.trainer.epochs, record.status == "FINISHED"
    called = f"run `{record.name}` ({record.id})"
    if finished and record.tags.get("diverged") == "true":
        raise UserError(f"{called} diverged: more epochs would not change that.")
    if not saved:
        if finished:
            raise UserError(f"{called} is finished and has no checkpoints/last.npz from which it could go on.")
        return
    state = read_state(saved)
    if epochs < state.epoch or (finished and epochs == state.epoch):
        done = f"has {'finished' if finished else 'trained'} {state.epoch} epochs"
        raise UserError(
            f"{called} {done}, and trainer.epochs is {epochs}: nothing is left to do. "
            f"Accepted: trainer.epochs={state.epoch + 1} or more."
        )
    if finished and plan.trainer.has_waited(state.epoch, best_of(state.history)[1]):
        raise UserError(
            f"{called} has stopped early after {state.epoch} epochs, and would again: trainer.early_stopping is "
            f"{plan.trainer.early_stopping}. Accepted besides trainer.epochs: a larger one, or null."
        )


def _check_rates(trainer: Trainer, state: State, before: int) -> None:
    """Raise `UserError` where the rate of a step that was taken would have been another with the epochs of now."""
    for step in range(state.step if trainer.epochs != before else 0):
        then, now = (
            trainer.schedule(Clock(step, trainer.steps_per_epoch, epochs), state.history)
            for epochs in (before, trainer.epochs)
        )
        if then != now:
            rates = [f"{trainer.optimizer.lr * factor:g}" for factor in (then, now)]
            raise UserError(
                f"trainer.epochs: the schedule {type(trainer.schedule).__name__} spreads over all epochs: with "
                f"{trainer.epochs} of them step {step + 1} would have been taken at the rate {rates[1]}, and was with "
                f"{before} at {rates[0]}. Start another run, or choose a schedule that counts epochs."
            )
