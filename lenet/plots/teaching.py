"""Figures that show what goes on within a network."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lenet.plots.runs import _mosaic
from lenet.plots.style import LARGE, MEDIUM, PALE, SMALL, WIDTH, colour_bar, finite, new_axes, new_figure

Floats = npt.NDArray[np.floating[Any]]

ACROSS = 16
"""Maps in a line, and moments in a figure, at most."""
MOST = 64
"""Maps of a layer that are shown."""


def forming(kernels: Mapping[int, Floats]) -> Figure:
    """The first layer's kernels `(O, C, KH, KW)` at several moments, by finished epochs: a row for each moment."""
    moments = sorted(kernels)[:ACROSS]
    shown = min(len(kernels[moments[0]]), ACROSS)
    limit = max(float(np.abs(kernels[moment]).max()) for moment in moments) or 1.0
    tiles = [kernel.reshape(-1, kernel.shape[-1]) for moment in moments for kernel in kernels[moment][:shown]]
    names = [f"epoch {moment}" if moment else "start" for moment in moments]
    captions = [name if number == 0 else "" for name in names for number in range(shown)]
    title = "The first layer's kernels as they form"
    figure, axes, image = _mosaic(tiles, captions, max(6, shown), title, "RdBu_r", Normalize(-limit, limit))
    colour_bar(figure, axes, image, "weight", "right")
    return figure


def gradient_norms(gradients: Mapping[int, Mapping[str, float]]) -> Figure:
    """The root mean square of the gradient by each layer's weights, against the finished epochs.

    The first layer's line is the darkest. A layer whose line lies far below the others' learns that much more slowly.
    """
    epochs = sorted(gradients)
    layers = list(gradients[epochs[0]])
    figure = new_figure(4.4)
    axes = new_axes(figure, "The size of the gradient, layer by layer")
    for layer, colour in zip(layers, colormaps["viridis"](np.linspace(0, 0.88, len(layers))), strict=True):
        values = finite([gradients[epoch].get(layer, math.nan) or math.nan for epoch in epochs])
        axes.plot(epochs, values, "o-", ms=3, lw=1.3, color=colour, label=layer)
    axes.set_yscale("log")
    axes.set_xlabel("finished epochs", fontsize=MEDIUM)
    axes.set_ylabel("gradient by weights (root mean square)", fontsize=MEDIUM)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.legend(loc="outside lower center", ncols=6, fontsize=SMALL, frameon=False)
    return figure


def feature_maps(outputs: Sequence[tuple[str, Floats]], probabilities: Floats, classes: Sequence[str]) -> Figure:
    """What each layer makes of one image, from the top down: `outputs` are names with `(C, H, W)` or `(features,)`.

    Each layer has its own scale, from blue (negative) over white to red. Below them is the softmax.
    """
    panels = [(name, _panel(output)) for name, output in outputs]
    inches = [max(0.22, (WIDTH - 2.2) * panel.shape[0] / panel.shape[1]) for _, panel in panels]
    inches = [min(height, 1.6) for height in inches]
    figure = new_figure(sum(inches) + 0.14 * len(panels) + 1.9)
    grid = figure.add_gridspec(len(panels) + 1, 1, height_ratios=[*inches, 1.1])
    figure.suptitle("What each layer makes of one test image", fontsize=LARGE, x=0.02, ha="left")
    palette = colormaps["RdBu_r"].with_extremes(bad="white")
    for row, (name, panel) in enumerate(panels):
        axes = figure.add_subplot(grid[row])
        limit = float(np.nanmax(np.abs(panel), initial=0)) or 1.0
        axes.imshow(panel, cmap=palette, norm=Normalize(-limit, limit), interpolation="nearest")
        axes.set_aspect("auto" if panel.shape[0] == 1 else "equal")
        axes.set_anchor("W")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(PALE)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=SMALL)
    axes = figure.add_subplot(grid[-1])
    axes.bar(range(len(probabilities)), probabilities, color="#3b6ea5")
    axes.set_ylim(0, 1)
    axes.set_ylabel("softmax", rotation=0, ha="right", va="center", fontsize=SMALL)
    every = math.ceil(len(classes) / 20)
    axes.set_xticks(range(0, len(classes), every), [name[:8] for name in classes[::every]], fontsize=SMALL)
    axes.set_yticks([0, 1])
    return figure


def _panel(output: Floats) -> Floats:
    """Return maps beside each other, with gaps, in lines of `ACROSS`; features as one line."""
    if output.ndim == 1:
        return finite(output)[None, :]
    maps = finite(output[:MOST])
    count, height, width = maps.shape
    across = min(count, ACROSS)
    gap = max(1, width // 12)
    panel = np.full((math.ceil(count / across) * (height + gap) - gap, ACROSS * (width + gap) - gap), math.nan)
    for number, each in enumerate(maps):
        top, left = number // across * (height + gap), number % across * (width + gap)
        panel[top : top + height, left : left + width] = each
    return panel
