"""The course report redone: the accuracy on 64 test images beside that on all of them."""

from collections.abc import Iterator, Sequence
from statistics import mean

import numpy as np
from scipy.stats import binom

from experiments import figures
from experiments.prose import Figures, Load, images, missing, table
from experiments.results import Run, spread

NAMES = ("report_lr_0.01", "report_lr_0.005", "report_piecewise")
DRAWN = 64
"""Test images that `data.validation=report` draws after each epoch."""
CLAIMED = 63
"""How many of them are right at the report's "up to 98 %"."""


def section(load: Load, drawn: Figures) -> Iterator[str]:
    """Tell the highest of many small draws from the accuracy that a network has."""
    yield (
        "## The course report, redone\n\nSigmoid, average pooling, standard-normal weights, plain SGD, one image drawn "
        f"from each block of 64, 50 epochs; after each, the accuracy on {DRAWN} test images drawn with replacement."
    )
    yield missing(NAMES, load)
    measured = [result for name in NAMES if (result := load(name))]
    if not measured:
        return
    headers = ["experiment", "n", "last on 64, %", "highest on 64, %", "by chance, %", "on all 10,000, %"]
    rows = [
        [
            f"`{result.name}`",
            str(len(result.runs)),
            spread(result.runs, lambda run: 100 * run.metrics["val/accuracy"]),
            spread(result.runs, lambda run: 100 * max(run.history["val/accuracy"])),
            spread(result.runs, lambda run: 100 * expected_highest(accuracies(run))),
            spread(result.runs, lambda run: 100 * run.metrics["test/accuracy"]),
        ]
        for result in measured
    ]
    yield table(headers, rows)
    runs = [run for result in measured for run in result.runs]
    highest = max(max(run.history["val/accuracy"]) for run in runs)
    reached = sum(max(run.history["val/accuracy"]) > (CLAIMED - 0.5) / DRAWN for run in runs)
    best = max(measured, key=lambda result: mean(run.metrics["test/accuracy"] for run in result.runs))
    accuracy = mean(run.metrics["test/accuracy"] for run in best.runs)
    chance = mean(chance_of(CLAIMED, accuracies(run)) for run in best.runs)
    yield (
        f"*By chance* is the highest that is to be expected of so many draws of {DRAWN} images, one after each epoch, "
        "if each image is right with the probability that the network has in that epoch (its accuracy on the training "
        "images of the epoch, most of which it has not seen before).\n\n"
        f'So the report\'s "up to 98 %" is {CLAIMED} of {DRAWN} images right, once: a network that ends at '
        f"{100 * accuracy:.1f} % of all 10,000 (`{best.name}`) shows it after one of its epochs or more in "
        f"{100 * chance:.0f} % of runs. Of these {len(runs)} runs {reached or 'none'} did; the highest was "
        f"{100 * highest:.1f} %."
    )
    for result in measured:
        drawn[f"{result.name}.png"] = figures.curves(result.runs[0], f"{result.name}, seed {result.runs[0].seed}")
    yield images(f"{result.name}.png" for result in measured)


def accuracies(run: Run) -> Sequence[float]:
    """Return how accurate a network was in each epoch, as far as it is known: on the images that it then trained on."""
    return run.history["train/accuracy"]


def expected_highest(accuracies: Sequence[float], drawn: int = DRAWN) -> float:
    """Return the expected highest of the shares that are right of `drawn` images, drawn anew for each accuracy.

    The mean of a maximum of independent counts: the sum over k of P(maximum > k), each 1 - the product of P(count ≤ k).
    """
    return sum(chance_of(count, accuracies, drawn) for count in range(1, drawn + 1)) / drawn


def chance_of(count: int, accuracies: Sequence[float], drawn: int = DRAWN) -> float:
    """Return the probability that at least once at least `count` of `drawn` images are right."""
    return float(1 - np.prod(binom.cdf(count - 1, drawn, accuracies)))
