"""How fast images are scored, side by side."""

from dataclasses import replace
from statistics import median

from benchmarks import entries, report
from benchmarks.arena import Arena, Child
from benchmarks.problem import Problem

BATCHES = (64, 256, 1000)
"""What the others score at a time, of which the best counts; this project's engine has sub-batches of its own."""

ENOUGH = 5000
"""Test images without which the training images are scored instead."""


def scored(problem: Problem) -> Problem:
    """Return the problem with at least some thousand images to score."""
    if len(problem.test_images) >= ENOUGH:
        return problem
    return replace(problem, test_images=problem.images, test_labels=problem.labels)


def measure(arena: Arena, rounds: int, seconds: float) -> dict[str, float]:
    """Return each contender's samples per second, the median of the rounds, at its best batch."""

    def rates(child: Child) -> dict[int, float]:
        batches = BATCHES[-1:] if child.name.startswith(entries.OURS) else BATCHES
        return {batch: child.ask("evaluation", batch, seconds) for batch in batches}

    found = [arena.round(number, rates) for number in range(rounds)]
    return {name: max(median(one[name][batch] for one in found) for batch in found[0][name]) for name in arena.children}


def describe(rates: dict[str, float]) -> str:
    """Return the section: a table and the ratio."""
    sides = {ours: [r for name, r in rates.items() if name.startswith(entries.OURS) == ours] for ours in (True, False)}
    rows = [[name, report.thousands(rate)] for name, rate in rates.items()]
    text = "## Evaluation\n\nThousand samples a second: forward pass, loss and class; the others at their best batch "
    text += f"of {', '.join(map(str, BATCHES))}.\n\n{report.table(rows, ['', 'thousand samples/s'])}\n"
    if sides[False]:
        text += f"\nRatio of the best: **{report.ratio(max(sides[True]) / max(sides[False]))}**\n"
    return text
