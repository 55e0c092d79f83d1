"""What is kept of a training: the last state, the best one, and when to stop waiting for a better."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lenet import checkpoint
from lenet.errors import Failure
from lenet.training.settings import TrainerSettings
from lenet.training.state import Arrays, capture
from lenet.training.trainer import Record, Trainer

log = logging.getLogger(__name__)


class Keeper:
    """Hands `last.npz` and `best.npz`, whichever are to be kept, to `publish(bytes, artifact name)`.

    `meta` and what `observed` returns at the time stand in them beside the trainer's state.

    What a trainer that goes on from a checkpoint has in its history is taken to be written. The best state is that of
    the highest `val/accuracy`, the earliest on a tie. It is remembered at once, and written when a checkpoint is due,
    so that short epochs are not slowed by the disk. A checkpoint that cannot be written (`publish` raises `Failure`)
    ends no training: the next is tried, and `finish` tells what is missing in the end.
    """

    def __init__(
        self,
        trainer: Trainer,
        settings: TrainerSettings,
        meta: Mapping[str, Any],
        publish: Callable[[bytes, str], None],
        observed: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.trainer = trainer
        self.settings = settings
        self.meta = meta
        self.publish = publish
        self.observed = observed
        self.best_accuracy, self.best_epoch = best_of(trainer.progress.history)
        self.best: tuple[Arrays, dict[str, Any]] | None = None
        """The weights (`param/…`) of the best state, and what stands beside them; None where it is from before."""
        self._best: tuple[Arrays, dict[str, Any]] | None = None
        self._saved_at = self._now()
        self._fails = False

    @property
    def has_waited(self) -> bool:
        """Whether no epoch has been better for as many as early stopping waits."""
        return self.settings.has_waited(self.trainer.progress.epoch, self.best_epoch)

    def on_step(self) -> None:
        """Write checkpoints between two steps, if they are due."""
        self.save_if_due()

    def note_epoch(self) -> None:
        """Take note of an epoch that has ended."""
        progress = self.trainer.progress
        if not self.trainer.diverged and progress.history[-1]["val/accuracy"] > self.best_accuracy:
            self.best_accuracy, self.best_epoch = progress.history[-1]["val/accuracy"], progress.epoch
            if self.settings.keeps_best:
                self._best = self.state()
                self.best = weights_of(*self._best)

    def save_if_due(self) -> None:
        """Write checkpoints, if they are due."""
        if self._is_due():
            self.try_to_save()

    def save(self) -> None:
        """Write the best state so far, if it is not yet written, and the state of this moment as `last.npz`.

        In this order: whatever befalls the process, `last.npz` knows of no best state that is not there. Raises what
        `publish` raises, with nothing lost: what could not be written is written the next time.
        """
        if self._best:
            self.publish(checkpoint.dumps(*self._best), "checkpoints/best.npz")
            self._best = None
        if self.settings.keeps_last:
            self.publish(checkpoint.dumps(*self.state()), "checkpoints/last.npz")
        self._saved_at, self._fails = self._now(), False

    def try_to_save(self) -> None:
        """Save; where that fails, as on a disk that is full for now, say so once and leave it to the next time."""
        try:
            self.save()
        except Failure as failure:
            if not self._fails:
                log.warning("no checkpoint was written: %s. Training goes on, and it is tried again", failure)
            self._saved_at, self._fails = self._now(), True

    def finish(self) -> None:
        """Write what could not be written when it was tried last; raise what `publish` raises where it still cannot."""
        if self._fails:
            self.save()

    def _is_due(self) -> bool:
        now, saved = self._now(), self._saved_at
        return self.settings.checkpoint_every.is_due(now[0] - saved[0], now[1] - saved[1], now[2] - saved[2])

    def _now(self) -> tuple[int, int, float]:
        return self.trainer.progress.epoch, self.trainer.progress.step, time.monotonic()

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return the state of this moment, as a checkpoint holds it."""
        arrays, state = capture(self.trainer)
        best = {"best_accuracy": self.best_accuracy, "best_epoch": self.best_epoch, "diverged": self.trainer.diverged}
        return arrays, {**self.meta, **self.observed(), **state, **best}


def weights_of(arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """Return what of a checkpoint it takes to use its network: its weights, and all that stands beside them."""
    weights = {name: array for name, array in arrays.items() if name.startswith("param/")}
    return weights, {key: value for key, value in meta.items() if key != "format"}


def best_of(history: Sequence[Record]) -> tuple[float, int | None]:
    """Return the highest `val/accuracy` of a history and its epoch, the earliest on a tie; -1 and None without any."""
    best: tuple[float, int | None] = (-1.0, None)
    for epoch, record in enumerate(history, start=1):
        if record["val/accuracy"] > best[0]:
            best = record["val/accuracy"], epoch
    return best
