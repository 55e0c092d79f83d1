"""The sections of the report: what each asks, its tables, its figures, and sentences made of its numbers."""

from collections.abc import Callable, Iterator, Mapping

from experiments.prose import Figures, Load
from experiments.sections import ladder, published, recipes, report, sweeps

SECTIONS: Mapping[str, Callable[[Load, Figures], Iterator[str]]] = {
    "report": report.section,
    "ladder": ladder.section,
    "published": published.section,
    "recipes": recipes.section,
    "sweeps": sweeps.section,
}


def names() -> list[str]:
    """Return the experiments that the report shows, in its order."""
    return [*report.NAMES, *ladder.names(), *published.NAMES, *recipes.NAMES, *sweeps.NAMES]
