"""A learning-rate range test as a run: every step recorded, an end where the loss explodes, and a sweep proposed.

A run is one if its schedule is `RangeTest`. An explosion ends it as divergence ends any run (tag `diverged`, FINISHED,
the weights from before), only sooner: the test has done its job, but its weights and scores are those of a training
that went wrong, and whatever reads the tag, such as tables and means over seeds, is right to leave them out. What the
test is for stands in tags of its own, `lr_range…`.
"""

import logging
import shlex
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lenet.common.tables import COLUMNS
from lenet.running.rate_range import Proposal, Watch, propose, rounded, smooth
from lenet.tracking.tags import RANGE

if TYPE_CHECKING:
    from lenet.tracking.run import Run

log = logging.getLogger(__name__)

NAME = "lr_range_test"
"""The experiment that chooses the schedule."""
OWN_KEYS = ("schedule", "optimizer.lr", "trainer.epochs")
"""What describes the test, and not the runs of the sweep that it proposes."""


class RangeTestRecorder:
    """Follows a range test step by step, as a trainer's `after_step`, and draws the conclusion from it.

    Each step's loss and rate become the metrics `step/loss` and `step/lr` of `run`, at the number of the step, from 1.
    `label` goes before what is said.
    """

    def __init__(self, run: "Run", classes: int, label: str = "") -> None:
        self.run = run
        self.classes = classes
        self.label = label
        self.rates: list[float] = []
        self.losses: list[float] = []
        self._watch = Watch()

    def __call__(self, step: int, rate: float, loss: float) -> bool:
        """Record a step, and say whether the loss has clearly exploded."""
        self.rates.append(rate)
        self.losses.append(loss)
        self.run.log_metrics({"step/loss": loss, "step/lr": rate}, step)
        exploded = self._watch.exploded(self.rates, self.losses)
        if exploded:
            log.info("%sthe loss exploded at a rate of %.2g, which ends the range test", self.label, rate)
        return exploded

    def conclude(self, overrides: Sequence[str], figure: bool) -> None:
        """Say and record what the test proposes, and the figure; `overrides` are those of the test."""
        found = propose(self.rates, self.losses, self.classes)
        marks = None
        if isinstance(found, Proposal):
            low, high, start = marks = rounded(found.low), rounded(found.high), rounded(found.start)
            command = sweep_command(overrides, found.rates())
            log.info("%ssweep from %g to %g, or start with %g:\n%s", self.label, low, high, start, command)
            tags = {"": f"{low:g} to {high:g}", "_low": low, "_high": high, "_start": start, "_command": command}
        else:
            log.warning("%s", textwrap.fill(f"{self.label}no range of rates to propose: {found.reason}", COLUMNS))
            tags = {"": f"none: {found.reason}"}
        for suffix, value in tags.items():
            self.run.set_tag(f"{RANGE}{suffix}", value)
        if figure:
            from lenet import plots  # Matplotlib takes half a second to import

            drawn = plots.lr_range(self.rates, self.losses, smooth(self.rates, self.losses), marks, self.run.name)
            self.run.log_bytes(plots.to_png(drawn), "figures/lr_range.png")


def sweep_command(overrides: Sequence[str], rates: Sequence[float]) -> str:
    """Return the command that sweeps over `rates` with whatever else was chosen for the test.

    Left out is what describes the test. Another experiment than the test's own is kept, and in case it chose the
    schedule, `schedule=constant` is chosen instead.
    """
    kept = [text for text in overrides if text != f"experiment={NAME}" and not _is_own(_key(text))]
    if any(_key(text) == "experiment" for text in kept):
        kept.append("schedule=constant")
    swept = ",".join(f"{rate:g}" for rate in rates)
    return shlex.join(["python", "-m", "lenet.run", *kept, f"optimizer.lr={swept}", "-m"])


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _is_own(key: str) -> bool:
    return key in OWN_KEYS or key.startswith("schedule.")
