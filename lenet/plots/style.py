"""What all figures share: sizes, colours, axes, and how they become a file.

Sizes are in inches, for a page that shows a figure about 700 pixels wide; no text is smaller than 9 points.
"""

import io
import math
import warnings
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lenet.plots.fonts import set_fonts

# From the palette of Okabe & Ito 2008, which colour-blind readers can tell apart.
BLUE, ORANGE = "#0072b2", "#d55e00"
GREY, PALE = "#767676", "#dddddd"
SMALL, MEDIUM, LARGE = 9, 10, 12
WIDTH = 7.0


def to_png(figure: Figure, dpi: int = 150) -> bytes:
    """Render `figure` as a PNG file; characters that no installed font has are boxes, which is logged."""
    set_fonts(figure)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+")
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def new_axes(figure: Figure, title: str) -> Axes:
    """Return axes with the style that all figures share."""
    axes = figure.add_subplot()
    axes.set_title(plain(title), fontsize=LARGE, loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=SMALL, length=0)
    axes.grid(axis="y", color=PALE, lw=0.7)
    axes.set_axisbelow(True)
    return axes


def colour_bar(
    figure: Figure, axes: Axes, image: AxesImage, label: str, location: Literal["right", "bottom"]
) -> Colorbar:
    """Add a scale for the colours of `image`."""
    bar = figure.colorbar(image, ax=axes, location=location, shrink=0.8, aspect=40)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, length=0)
    bar.set_label(label, fontsize=MEDIUM)
    return bar


def finite(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the values as floats, with what is not finite made NaN: a gap in a line."""
    numbers = np.array(values, np.float64)
    numbers[~np.isfinite(numbers)] = math.nan
    return numbers


def number_of(value: object) -> float | str:
    """Return a swept value as a finite number where it is one or reads like one, else as text."""
    try:
        number = float(str(value))
    except ValueError:
        return str(value)
    return number if math.isfinite(number) else str(value)


def short(name: str, most: int = 14) -> str:
    """Cut a name that is longer than `most`."""
    return plain(name if len(name) <= most else f"{name[: most - 1]}…")


def plain(text: str) -> str:
    """Keep Matplotlib from reading `$` as the beginning of a formula."""
    return text.replace("$", r"\$")
