"""How work shows: a run's layers, then one bar on a terminal, or a line an epoch anywhere else; a sweep's one line."""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tqdm import tqdm

from lenet.common.tables import to_table
from lenet.network import LayerSummary
from lenet.training.trainer import Progress, Record

log = logging.getLogger(__name__)

REPORT_SECONDS = 0.25
PARAMETERS, MACS = "parameters", "multiply-accumulates"


def layer_table(summaries: Sequence[LayerSummary]) -> str:
    """Return the layers with their outputs' shapes, parameters and multiply-accumulates of one sample, and the sums."""
    rows = [_row(s.name, s.kind, "×".join(map(str, s.shape)), s.parameters, s.multiply_accumulates) for s in summaries]
    sums = sum(s.parameters for s in summaries), sum(s.multiply_accumulates for s in summaries)
    return to_table([*rows, _row("total", "", "", *sums)], "table", right=(PARAMETERS, MACS)).rstrip("\n")


def _row(layer: str, kind: str, output: str, parameters: int, macs: int) -> dict[str, str]:
    return {"layer": layer, "kind": kind, "output": output, PARAMETERS: f"{parameters:,}", MACS: f"{macs:,}"}


class Display(Protocol):
    """What shows how a training goes."""

    def step(self, progress: Progress) -> None:
        """Take note of a step."""

    def epoch(self, epoch: int, record: Record) -> None:
        """Take note of what an epoch measured."""

    def close(self) -> None:
        """Show no more."""


NewDisplay = Callable[[str, int, int], Display]
"""Makes a display for a run's name, its epochs and the steps of each."""


class ProgressBar:
    """One bar over all epochs on a terminal; plain lines anywhere else."""

    def __init__(self, label: str, epochs: int, steps: int) -> None:
        self.epochs = epochs
        self.steps = steps
        self._bar = self._make(label, epochs * steps)

    def _make(self, label: str, total: int) -> "tqdm[Any]":
        return _new_bar(label, total)

    def step(self, progress: Progress) -> None:
        """Show the running means of the epoch under way."""
        if self._bar.update(progress.step - self._bar.n) and (taken := progress.step - progress.epoch * self.steps):
            loss, accuracy = progress.sums.tolist()
            self._show(progress.epoch + 1, loss / taken, accuracy / taken)

    def epoch(self, epoch: int, record: Record) -> None:
        """Say what an epoch measured: to the log alone where a bar shows it."""
        self._show(epoch, record["train/loss"], record["train/accuracy"])
        _say_epoch(logging.INFO if self._bar.disable else logging.DEBUG, epoch, self.epochs, record)

    def _show(self, epoch: int, loss: float, accuracy: float) -> None:
        self._bar.set_postfix_str(f"epoch {epoch}/{self.epochs} loss {loss:.4f} acc {accuracy:.4f}", refresh=False)

    def close(self) -> None:
        self._bar.close()


class NotebookBar(ProgressBar):
    """The same bar in a notebook, as a widget where ipywidgets is installed."""

    def _make(self, label: str, total: int) -> "tqdm[Any]":
        from tqdm import auto  # which asks what kind of notebook this is

        return auto.tqdm(total=total, desc=label, mininterval=0.2)


def display_here() -> NewDisplay:
    """Return what shows how training goes where this process runs: a notebook's kernel, or anything else."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return NotebookBar if shell is not None and "IPKernelApp" in shell.config else ProgressBar


class JobProgress:
    """Hands the share of a run that is done to `report`, a few times a second; its epochs go to the log alone."""

    def __init__(self, report: Callable[[float], None], epochs: int, steps: int) -> None:
        self.epochs = epochs
        self._report = report
        self._steps = epochs * steps
        self._due = 0.0

    def step(self, progress: Progress) -> None:
        """Report, if it is time."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + REPORT_SECONDS
            self._report(progress.step / self._steps)

    def epoch(self, epoch: int, record: Record) -> None:
        """Say what an epoch measured to the run's own log."""
        _say_epoch(logging.DEBUG, epoch, self.epochs, record)

    def close(self) -> None:
        """Nothing is left on the screen."""


class SweepBar:
    """One line for all jobs of a sweep on a terminal; nothing anywhere else, where each finished job has its line."""

    def __init__(self, label: str, jobs: int) -> None:
        self._jobs = jobs
        self._shares: dict[int, float] = {}
        self._finished = 0
        self._bar = _new_bar(label, jobs)
        self._show()

    def advance(self, job: int, share: float) -> None:
        """Show how far the job of this number is."""
        self._shares[job] = share
        self._show()

    def finish(self, job: int) -> None:
        """Take note of a job that will do no more."""
        self._shares.pop(job, None)
        self._finished += 1
        self._show()

    def close(self) -> None:
        self._bar.close()

    def _show(self) -> None:
        self._bar.set_postfix_str(f"{self._finished}/{self._jobs} jobs", refresh=False)
        self._bar.update(self._finished + sum(self._shares.values()) - self._bar.n)


def _say_epoch(level: int, epoch: int, epochs: int, record: Record) -> None:
    log.log(
        level,
        "epoch %d/%d  loss %.4f  acc %.4f  val loss %.4f  val acc %.4f  %s/s",
        epoch,
        epochs,
        *(record[metric] for metric in ("train/loss", "train/accuracy", "val/loss", "val/accuracy")),
        f"{record['samples_per_second']:,.0f}",
    )


def _new_bar(label: str, total: int) -> "tqdm[Any]":
    """Return a bar over the terminal's width; one that shows nothing where the output is no terminal."""
    return tqdm(
        total=total,
        desc=label,
        file=sys.stdout,
        disable=not sys.stdout.isatty(),
        dynamic_ncols=True,
        bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining}{postfix}",
        mininterval=0.2,
    )
