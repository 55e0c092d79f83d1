"""LeNet-5 as published in 1998."""

from collections.abc import Iterator

from experiments.prose import HEADERS, Figures, Load, facts, missing, table
from experiments.results import describe, statistics

NAMES = ("lenet5_1998",)
PAPER = 0.95
"""Test error in percent, LeCun et al. 1998, section III.B, without distortions."""


def section(load: Load, drawn: Figures) -> Iterator[str]:
    """Compare the paper's network with what the paper says of it."""
    (name,) = NAMES
    notes = f"[What the paper leaves open, and what was chosen](notes/{name}.md)."
    yield f"## LeNet-5 as published\n\n{describe(name)} {notes}"
    yield missing(NAMES, load)
    if result := load(name):
        yield table(["experiment", *HEADERS], [[f"`{name}`", *facts(result.runs)]])
        yield f"{statistics(result.runs, lambda run: run.error)[1]:.2f} % here, {PAPER} % in the paper."
