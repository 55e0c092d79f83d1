"""The best recipe, without and with augmentation, and the fastest to 99 %."""

from collections.abc import Iterator

from experiments.prose import HEADERS, Figures, Load, facts, missing, table
from experiments.results import describe, statistics

NAMES = ("fastest", "best", "best_augmented", "best_long")
MARK = 99.0
"""Percent of the test images that the fastest recipe is to get right."""


def section(load: Load, drawn: Figures) -> Iterator[str]:
    """Say how accurate the default network gets, and in what time."""
    yield (
        "## The best recipe\n\nThe default network of 61,706 parameters. Settings were chosen by the accuracy on the "
        "held-out tenth of the training images alone. Seconds are those of all training steps, on one core."
    )
    yield missing(NAMES, load)
    measured = [result for name in NAMES if (result := load(name))]
    if not measured:
        return
    rows = [[f"`{result.name}`", describe(result.name), *facts(result.runs)] for result in measured]
    yield table(["experiment", "what it is", *HEADERS], rows)
    said = []
    for result in measured:
        count, error, _ = statistics(result.runs, lambda run: run.error)
        if not count:
            continue
        reached = sum(100 - run.error >= MARK for run in result.runs if not run.diverged)
        seconds = statistics(result.runs, lambda run: run.seconds)[1]
        said.append(
            f"- `{result.name}`: {100 - error:.2f} % of the test images right after "
            f"{len(result.runs[0].history['val/accuracy'])} epochs, {seconds:.3g} s of training; "
            f"{reached} of {len(result.runs)} runs at {MARK:g} % or above."
        )
    yield "\n".join(said)
