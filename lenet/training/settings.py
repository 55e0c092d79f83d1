"""What `trainer.…` asks for."""

import re
from dataclasses import dataclass
from typing import Literal

from lenet.data.samplers import OnePerBlock, Sampler, Shuffle
from lenet.validation import PositiveInt, validated


@dataclass(frozen=True)
class Every:
    """How often something happens at the end of an epoch: once so many epochs or so many seconds have passed."""

    epochs: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: int | str) -> "Every":
        """Read `5` (epochs) or `10s` (seconds)."""
        match = re.fullmatch(r"(\d+)|(\d+(?:\.\d*)?)\s*s", str(text).strip())
        if not match or (match[1] and int(match[1]) < 1):
            raise ValueError(f"checkpoint_every is {text!r}; accepted are epochs (5) and seconds (10s)")
        return cls(epochs=int(match[1])) if match[1] else cls(seconds=float(match[2]))

    def is_due(self, epochs: int, seconds: float) -> bool:
        """Say whether it is time, after so many epochs and seconds."""
        if self.epochs is not None:
            return epochs >= self.epochs
        return self.seconds is not None and seconds >= self.seconds


class TrainerSettings:
    """How long and on what steps a network is trained, and what is kept of it."""

    @validated
    def __init__(
        self,
        epochs: PositiveInt,
        batch_size: PositiveInt = 64,
        sampler: Literal["shuffle", "one_per_block"] = "shuffle",
        checkpoint_every: int | str = "10s",
        checkpoints: Literal["both", "last", "best", "none"] = "both",
        early_stopping: PositiveInt | None = None,
        figures: Literal["basic", "all", "none"] = "basic",
    ) -> None:
        self.epochs = epochs
        self.sampler: Sampler = Shuffle(batch_size) if sampler == "shuffle" else OnePerBlock(batch_size)
        self.checkpoint_every = Every.parse(checkpoint_every)
        self.keeps_last = checkpoints in ("both", "last")
        self.keeps_best = checkpoints in ("both", "best")
        self.early_stopping = early_stopping
        self.figures = figures
