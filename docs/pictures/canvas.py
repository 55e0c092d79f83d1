"""Axes without axes: a plane to draw cells and words on."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lenet.plots.style import GREY, SMALL, new_figure


def canvas(height: float, across: tuple[float, float], down: tuple[float, float]) -> tuple[Figure, Axes]:
    """Return a figure so many inches high, and its empty plane from `across[0]` to `[1]` and `down[0]` to `[1]`."""
    figure = new_figure(height)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(*across)
    axes.set_ylim(*down)
    return figure, axes


def cell(axes: Axes, x: float, y: float, face: str, text: str, edge: str = GREY) -> None:
    """Draw a square whose upper left corner is at `(x, y)`, y pointing down."""
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=face, edgecolor=edge, lw=0.7))
    axes.text(x + 0.5, y + 0.52, text, fontsize=SMALL, ha="center", va="center")
