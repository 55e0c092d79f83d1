"""What is kept of a training: the last state, the best one, and when to stop waiting for a better."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lenet import checkpoint
from lenet.network import Network
from lenet.optimizers import Optimizer
from lenet.training.settings import TrainerSettings
from lenet.training.trainer import Trainer

Arrays = dict[str, np.ndarray[Any, Any]]


class Keeper:
    """Hands `last.npz` and `best.npz`, whichever are to be kept, to `publish(bytes, artifact name)`.

    The best state is that of the highest `val/accuracy`, the earliest on a tie. It is remembered at once, and
    written when a checkpoint is due, so that short epochs are not slowed by the disk.
    """

    def __init__(
        self,
        trainer: Trainer,
        settings: TrainerSettings,
        meta: Mapping[str, Any],
        publish: Callable[[bytes, str], None],
    ) -> None:
        self.trainer = trainer
        self.settings = settings
        self.meta = meta
        self.publish = publish
        self.best_accuracy = -1.0
        self.best_epoch: int | None = None
        self._best: tuple[Arrays, dict[str, Any]] | None = None
        self._saved_epoch = 0
        self._saved_at = time.monotonic()

    def after_epoch(self) -> bool:
        """Take note of an epoch, write checkpoints if they are due, and say whether training should stop early."""
        progress = self.trainer.progress
        if progress.history and len(progress.history) == progress.epoch and not self.trainer.diverged:
            accuracy = progress.history[-1]["val/accuracy"]
            if accuracy > self.best_accuracy:
                self.best_accuracy, self.best_epoch = accuracy, progress.epoch
                self._best = self._state() if self.settings.keeps_best else None
        since = progress.epoch - self._saved_epoch, time.monotonic() - self._saved_at
        if self.settings.checkpoint_every.is_due(*since):
            self.save()
        patience = self.settings.early_stopping
        return patience is not None and progress.epoch - (self.best_epoch or 0) >= patience

    def save(self) -> None:
        """Write the state of this moment as `last.npz`, and the best so far if it is not yet written."""
        if self.settings.keeps_last:
            self.publish(checkpoint.dumps(*self._state()), "checkpoints/last.npz")
        if self._best:
            self.publish(checkpoint.dumps(*self._best), "checkpoints/best.npz")
            self._best = None
        self._saved_epoch, self._saved_at = self.trainer.progress.epoch, time.monotonic()

    def _state(self) -> tuple[Arrays, dict[str, Any]]:
        progress = self.trainer.progress
        state = {
            "epoch": progress.epoch,
            "step": progress.step,
            "loss": float(progress.loss),
            "accuracy": float(progress.accuracy),
            "history": list(progress.history),
            "best_accuracy": self.best_accuracy,
            "best_epoch": self.best_epoch,
            "diverged": self.trainer.diverged,
        }
        return capture(self.trainer.network, self.trainer.optimizer), {**self.meta, **state}


def capture(network: Network, optimizer: Optimizer) -> Arrays:
    """Return copies, on the host, of the weights and the optimizer's vectors: `param/conv1/weight`, `velocity/…`."""
    vectors = {"param": network.theta, **optimizer.state}
    return {
        f"{kind}/{name}": np.array(network.backend.to_host(view), order="C")
        for kind, vector in vectors.items()
        for name, view in network.views(vector).items()
    }
