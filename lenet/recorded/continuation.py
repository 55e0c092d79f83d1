"""Going on with a run: what may be changed of it, whether there is anything left to do, and from where it goes on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lenet.checkpoint import Checkpoint
from lenet.common.flatten import flatten
from lenet.configuration.build import Plan, build
from lenet.configuration.composition import set_values
from lenet.recorded.extension import CHANGEABLE, check_config, check_rates, check_work_left
from lenet.recorded.stored import LOG_FILE, Stored, times_resumed
from lenet.schedules import RangeTest
from lenet.training.state import restore
from lenet.training.trainer import Trainer

if TYPE_CHECKING:
    from lenet.tracking.record import RunRecord


@dataclass(frozen=True)
class Continuation:
    """A run that goes on from `checkpoint`, or from its start where that is None.

    `epochs_before` are those it was to train so far. Of its parameters, `changed` are those that its record tells
    otherwise, and `missing` those that it does not tell; `is_changed` says whether its configuration is another.
    `log` is its log so far.
    """

    stored: Stored
    checkpoint: Checkpoint | None
    epochs_before: int
    changed: Mapping[str, str]
    missing: Mapping[str, str]
    is_changed: bool
    log: str

    @property
    def record(self) -> "RunRecord":
        """The run as the store has it."""
        return self.stored.record

    @property
    def number(self) -> int:
        """How often the run will have been resumed, this time included."""
        return times_resumed(self.record) + 1

    def restore(self, trainer: Trainer, digest: str) -> None:
        """Have a new trainer go on from where the run stood; `digest` is that of its data.

        Raises `UserError`, with nothing changed of the run, where the data are not those that it was trained on, where
        the checkpoint does not fit, or where the trainer's epochs ask for other rates than those of the steps taken.
        """
        self.stored.check_data(digest, self.checkpoint)
        if self.checkpoint:
            restore(trainer, self.checkpoint)
            check_rates(trainer, self.checkpoint, self.epochs_before)


def continuation(stored: Stored, overrides: Sequence[str], allowed: Collection[str]) -> tuple[Plan, Continuation]:
    """Return the plan of a run that goes on, and how it does.

    `overrides` change values of `CHANGEABLE` keys, `allowed` are the modules besides lenet's own whose classes may be
    built. Raises `UserError` with the reason where the run cannot go on so.
    """
    from lenet.tracking.operations import PARAM_LENGTH, as_text  # MLflow takes more than a second to import

    record, before = stored.record, stored.config
    config = set_values(before, overrides, CHANGEABLE)
    plan, old = build(config, allowed), build(before, allowed)
    # A range test is a run of a second, whose curve no checkpoint holds: it goes on from its start.
    saved = None if isinstance(plan.schedule, RangeTest) else stored.checkpoint("last")
    if saved:
        check_config(saved, config)
    points = stored.finder.histories(record, ("train/loss", "step/loss"))
    check_work_left(record, plan, old, saved, max((step for found in points.values() for step, _ in found), default=0))
    texts = {key: as_text(value, PARAM_LENGTH) for key, value in flatten(plan.config).items()}
    return plan, Continuation(
        stored=stored,
        checkpoint=saved,
        epochs_before=old.trainer.epochs,
        changed={k: text for k, text in texts.items() if k in CHANGEABLE and record.params.get(k, text) != text},
        missing={key: text for key, text in texts.items() if key not in record.params},
        is_changed=flatten(before) != flatten(config),
        log=stored.text(LOG_FILE) or "",
    )
