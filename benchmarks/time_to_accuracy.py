"""How long training takes until 99.0 % of MNIST's test images are recognised, by the same recipe on both sides."""

from dataclasses import dataclass, field
from statistics import median

import numpy as np

from benchmarks import entries, report
from benchmarks.arena import Arena
from benchmarks.problem import Problem

TARGET = 0.99
BATCH = 64
MAX_EPOCHS = 40
RACES = 3


@dataclass
class Run:
    """One side's training: seconds of each epoch (without evaluation) and the accuracy after it."""

    name: str
    seconds: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return self.reached or len(self.seconds) >= MAX_EPOCHS

    @property
    def reached(self) -> bool:
        return bool(self.accuracies) and self.accuracies[-1] >= TARGET


def measure(arena: Arena, problem: Problem, rounds: int, seconds: float) -> list[list[Run]]:
    """Return `RACES` races between both sides' fastest contenders, each race with shuffles of its own.

    In a race both start from the same weights and see the same batches, an epoch of one after an epoch of the other.
    The fastest are found by their throughput.
    """
    found = [arena.round(n, lambda child: child.ask("throughput", BATCH, seconds)) for n in range(rounds)]
    rates = {name: median(one[name] for one in found) for name in arena.children}
    names = []
    for ours in (True, False):
        side = [name for name in rates if name.startswith(entries.OURS) == ours]
        names += [max(side, key=rates.__getitem__)] if side else []
    return [_race(arena, problem, names, number) for number in range(1, RACES + 1)]


def _race(arena: Arena, problem: Problem, names: list[str], number: int) -> list[Run]:
    runs = [Run(name) for name in names]
    for name in names:
        arena.children[name].ask("open", problem)
    for epoch in range(MAX_EPOCHS):
        order = np.random.default_rng([number, epoch]).permutation(len(problem.images))
        for run in runs:
            if not run.done:
                child = arena.children[run.name]
                run.seconds.append(child.ask("train", order, BATCH))
                run.accuracies.append(child.ask("accuracy", 1000))
                print(f"{run.name}: epoch {epoch + 1}, {run.seconds[-1]:.1f} s, {run.accuracies[-1]:.2%}", flush=True)
        if all(run.done for run in runs):
            break
    return runs


def describe(races: list[list[Run]], images: int) -> str:
    """Return the section: a table, and the ratios of whole times and of single epochs."""
    rows, totals, epochs = [], [], []
    for runs in zip(*races, strict=True):
        totals.append(median(sum(run.seconds) for run in runs))
        epochs.append(median(second for run in runs for second in run.seconds))
        counts = ", ".join(f"{len(run.seconds)}{'' if run.reached else ' (not reached)'}" for run in runs)
        rows.append([runs[0].name, f"after {counts}", f"{totals[-1]:.1f} s", f"{epochs[-1]:.2f} s"])
    headers = ["", "epochs", "training time", "an epoch"]
    text = f"## Time to {TARGET:.1%} on full MNIST\n\nTraining time until the test accuracy after an epoch is first at "
    text += f"least {TARGET:.1%}, without the evaluations; {images:,} training images, batch {BATCH}, the default "
    text += f"recipe. {len(races)} races with different shuffles, of which medians; in each, both sides have the same "
    text += f"initial weights and batches.\n\n{report.table(rows, headers)}\n"
    if len(rows) == 2 and all(run.reached for runs in races for run in runs):
        text += (
            f"\nRatio: **1/{totals[1] / totals[0]:.2f}** of the time to {TARGET:.1%}, 1/{epochs[1] / epochs[0]:.2f} "
        )
        text += "of the time of an epoch. Rounding decides the epoch in which the accuracy crosses the line, so the "
        text += "first carries luck that the second does not.\n"
    return text
