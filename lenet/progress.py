"""How a run shows: its layers at the start, then one bar on a terminal, or a line an epoch anywhere else."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate
from tqdm import tqdm

from lenet.network import LayerSummary
from lenet.training.trainer import Progress, Record

log = logging.getLogger(__name__)


def layer_table(summaries: Sequence[LayerSummary]) -> str:
    """Return the layers with their outputs' shapes, parameters and multiply-accumulates of one sample, and the sums."""
    rows: list[list[Any]] = [
        [s.name, s.kind, "×".join(map(str, s.shape)), f"{s.parameters:,}", f"{s.multiply_accumulates:,}"]
        for s in summaries
    ]
    parameters = sum(s.parameters for s in summaries)
    macs = sum(s.multiply_accumulates for s in summaries)
    rows.append(["total", "", "", f"{parameters:,}", f"{macs:,}"])
    headers = ["layer", "kind", "output", "parameters", "multiply-accumulates"]
    return tabulate(
        rows,
        headers,
        tablefmt="simple",
        colalign=("left", "left", "left", "right", "right"),
        disable_numparse=True,
    )


class ProgressBar:
    """One bar over all epochs on a terminal; plain lines anywhere else."""

    def __init__(self, label: str, epochs: int, steps: int) -> None:
        self.epochs = epochs
        self.steps = steps
        self._bar = tqdm(
            total=epochs * steps,
            desc=label,
            unit="step",
            file=sys.stdout,
            disable=not sys.stdout.isatty(),
            dynamic_ncols=True,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining}{postfix}",
            mininterval=0.2,
        )

    def step(self, progress: Progress) -> None:
        """Show the running means of the epoch under way."""
        if self._bar.update(progress.step - self._bar.n) and (taken := progress.step - progress.epoch * self.steps):
            loss, accuracy = float(progress.loss) / taken, float(progress.accuracy) / taken
            self._show(progress.epoch + 1, loss, accuracy)

    def epoch(self, epoch: int, record: Record) -> None:
        """Say what an epoch measured: to the log alone where a bar shows it."""
        self._show(epoch, record["train/loss"], record["train/accuracy"])
        level = logging.INFO if self._bar.disable else logging.DEBUG
        log.log(
            level,
            "epoch %d/%d  loss %.4f  acc %.4f  val loss %.4f  val acc %.4f  %s/s",
            epoch,
            self.epochs,
            *(record[metric] for metric in ("train/loss", "train/accuracy", "val/loss", "val/accuracy")),
            f"{record['samples_per_second']:,.0f}",
        )

    def _show(self, epoch: int, loss: float, accuracy: float) -> None:
        self._bar.set_postfix_str(f"epoch {epoch}/{self.epochs} loss {loss:.4f} acc {accuracy:.4f}", refresh=False)

    def close(self) -> None:
        self._bar.close()
