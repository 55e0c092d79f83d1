"""The figure of a learning-rate range test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from lenet.plots.style import BLUE, GREY, MEDIUM, ORANGE, SMALL, finite, new_axes, new_figure


def lr_range(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: npt.NDArray[np.floating[Any]],
    proposal: tuple[float, float, float] | None,
    title: str,
) -> Figure:
    """Each step's loss, pale, and the smoothed loss against the rate, both (N,).

    `proposal` is the lowest rate, the highest and the one to start with: the range is shaded and the start marked.
    Losses beyond a quarter above the highest smoothed loss, and what is not finite, are marked on the upper edge.
    """
    figure = new_figure(4.2)
    axes = new_axes(figure, f"Learning-rate range test, {title}")
    values = finite(losses)
    top = 1.25 * float(smoothed.max())
    beyond = ~(values <= top)
    axes.set_xscale("log")
    axes.plot(rates, np.where(beyond, np.nan, values), "o", color=GREY, alpha=0.45, ms=3, mew=0, label="each step")
    if beyond.any():
        edge = np.full(beyond.sum(), top)
        axes.plot(np.array(rates)[beyond], edge, "^", color=GREY, alpha=0.45, ms=5, mew=0, clip_on=False, label="above")
    axes.plot(rates, smoothed, color=BLUE, lw=1.8, label="smoothed")
    if proposal:
        low, high, start = proposal
        axes.axvspan(low, high, color=BLUE, alpha=0.1, lw=0, label="proposed range")
        axes.axvline(start, color=ORANGE, lw=1.5, ls="--", label=f"start with {start:g}")
    axes.set_ylim(0, top)
    axes.set_xlabel("learning rate", fontsize=MEDIUM)
    axes.set_ylabel("training loss of the batch", fontsize=MEDIUM)
    figure.legend(loc="outside lower center", ncols=5, fontsize=SMALL, frameon=False)
    return figure
