"""What `trainer.…` asks for."""

import re
from dataclasses import dataclass
from typing import Literal

from lenet.common.validation import PositiveInt, validated
from lenet.data.samplers import OnePerBlock, Sampler, Shuffle

_EVERY = re.compile(r"(?P<count>\d+)\s*(?P<unit>epochs?|steps?)?|(?P<seconds>\d+(?:\.\d*)?)\s*(?:s|seconds?)")


@dataclass(frozen=True)
class Every:
    """How often something happens: once so many epochs, so many steps or so many seconds have passed."""

    epochs: int | None = None
    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: int | str) -> "Every":
        """Read `5` or `5 epochs`, `500 steps`, or `10s`."""
        match = _EVERY.fullmatch(str(text).strip())
        if not match or (match["count"] and int(match["count"]) < 1):
            raise ValueError(
                f"checkpoint_every is {text!r}; accepted are epochs (5), steps (500steps) and seconds (10s)"
            )
        if match["seconds"]:
            return cls(seconds=float(match["seconds"]))
        count = int(match["count"])
        return cls(steps=count) if (match["unit"] or "").startswith("step") else cls(epochs=count)

    def is_due(self, epochs: int, steps: int, seconds: float) -> bool:
        """Say whether it is time, after so many epochs, steps and seconds."""
        if self.epochs is not None:
            return epochs >= self.epochs
        if self.steps is not None:
            return steps >= self.steps
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

    def has_waited(self, epochs: int, best_epoch: int | None) -> bool:
        """Say whether, after so many epochs, none has been better for as many as early stopping waits."""
        return self.early_stopping is not None and epochs - (best_epoch or 0) >= self.early_stopping
