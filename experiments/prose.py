"""What the sections of the report are written with: tables, figures in the text, and what is missing."""

from collections.abc import Callable, Iterable, Sequence

from matplotlib.figure import Figure
from tabulate import tabulate

from experiments.results import Result, Run, spread, statistics

Figures = dict[str, Figure]
"""Figures by the names of their files."""
Load = Callable[[str], Result | None]
"""What returns an experiment's result, or None where it has not been measured."""

HEADERS = ("n", "test error, %", "validation, %", "epochs", "seconds")
"""The columns of `facts`."""


def facts(runs: Sequence[Run]) -> list[str]:
    """Return what tables say of runs under `HEADERS`; n counts those that did not diverge."""
    return [
        str(statistics(runs, lambda run: run.error)[0]),
        spread(runs, lambda run: run.error),
        spread(runs, lambda run: 100 * run.metrics["val/accuracy"]),
        str(len(runs[0].history["val/accuracy"])),
        spread(runs, lambda run: run.seconds, 1),
    ]


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; columns of numbers alone stand to the right."""
    align = ["right" if all(_is_number(cell) for cell in column) else "left" for column in zip(*rows, strict=True)]
    return tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True, colalign=align)


def images(names: Iterable[str]) -> str:
    """Return Markdown that shows figures."""
    return "\n\n".join(f"![{name.removesuffix('.png')}](figures/{name})" for name in names)


def missing(names: Sequence[str], load: Load) -> str:
    """Say which experiments have not been measured, or nothing."""
    absent = [f"`{name}`" for name in names if load(name) is None]
    return f"Not yet measured: {', '.join(absent)}." if absent else ""


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _is_number(cell: str) -> bool:
    return not cell or cell[0].isdigit() or (cell[0] in "+−" and cell[1:2].isdigit())
