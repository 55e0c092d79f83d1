"""The figures of a sweep."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from lenet.plots.style import (
    BLUE,
    GREY,
    MEDIUM,
    ORANGE,
    SMALL,
    colour_bar,
    finite,
    new_axes,
    new_figure,
    number_of,
    short,
)


def sweep(rows: Sequence[Mapping[str, Any]], key: str, metric: str) -> Figure:
    """`metric` against the swept `key`: a dot for each run and, for numbers, a line through the means.

    Each of `rows`, at least one, holds a run's values of both and, where it diverged, a true `diverged` (or
    the text "true"). Diverged runs and runs without a finite value are crosses on the lower edge. The axis is
    logarithmic where the values are positive numbers, the largest over 5 times the smallest; else each value
    has its place, numbers in their order.
    """
    values = sorted({number_of(row[key]) for row in rows}, key=lambda value: (isinstance(value, str), value))
    numbers = [value for value in values if not isinstance(value, str)]
    numeric = len(numbers) == len(values)
    logarithmic = numeric and 0 < 5 * numbers[0] < numbers[-1]
    place = dict(zip(values, numbers if logarithmic else range(len(values)), strict=True))
    at = np.array([place[number_of(row[key])] for row in rows], float)
    diverged = np.array([str(row.get("diverged")).lower() == "true" for row in rows])
    score = np.where(diverged, math.nan, finite([row.get(metric, math.nan) for row in rows]))
    known = ~np.isnan(score)

    figure = new_figure(4.2)
    axes = new_axes(figure, f"{metric} by {key}")
    axes.margins(y=0.12)
    if numeric:
        means = {x: score[known & (at == x)].mean() for x in np.unique(at[known])}
        axes.plot(list(means), list(means.values()), color=BLUE, lw=1, alpha=0.5)
    axes.plot(at, score, "o", color=BLUE, alpha=0.75, clip_on=False)
    for mask, name, colour in ((diverged, "diverged", ORANGE), (~known & ~diverged, "no value", GREY)):
        if mask.any():
            edge, lower = np.full(mask.sum(), 0.03), axes.get_xaxis_transform()
            axes.plot(at[mask], edge, "x", color=colour, ms=8, mew=2, transform=lower, label=name)
    if not known.all():
        figure.legend(loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    if logarithmic:
        axes.set_xscale("log")
    else:
        axes.set_xlim(-0.5, len(values) - 0.5)
    if not logarithmic or len(values) <= 8:
        names = [short(value, 20) if isinstance(value, str) else f"{value:g}" for value in values]
        axes.set_xticks(list(place.values()), names, rotation=90 if sum(map(len, names)) > 70 else 0)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(key, fontsize=MEDIUM)
    axes.set_ylabel(metric, fontsize=MEDIUM)
    if metric.endswith("accuracy"):
        axes.set_ylim(top=min(1.0, axes.get_ylim()[1]))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    if not known.any():
        axes.set_yticks([])
    return figure


def training_curves(histories: Mapping[str, Sequence[float]], metric: str, left_out: int = 0) -> Figure:
    """A line for each run's `metric` against the epoch, named in a legend, in the order that is given.

    What is not finite leaves a gap. The title says how many runs are left out. More than about 30 cannot be told apart.
    """
    part = f" ({len(histories)} of {len(histories) + left_out} runs)" if left_out else ""
    labels = [short(name, 40) for name in histories]
    beside = 3 if max(map(len, labels), default=0) <= 18 else 2
    figure = new_figure(3.6 + 0.2 * math.ceil(len(histories) / beside))
    axes = new_axes(figure, f"{metric} by epoch{part}")
    palette = colormaps["viridis"](np.linspace(0, 0.92, max(2, len(histories))))
    for (name, values), colour in zip(histories.items(), palette, strict=False):
        marker = "o" if len(values) <= 30 else ""
        axes.plot(np.arange(1, len(values) + 1), finite(values), marker=marker, ms=3, lw=1.3, color=colour, label=name)
    axes.set_xlabel("epoch", fontsize=MEDIUM)
    axes.set_ylabel(metric, fontsize=MEDIUM)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if metric.endswith("accuracy"):
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    if histories:
        figure.legend(axes.lines, labels, loc="outside lower center", ncols=beside, fontsize=SMALL, frameon=False)
    return figure


def heat_map(rows: Sequence[Mapping[str, Any]], across: str, down: str, metric: str) -> Figure:
    """The mean of `metric` for each pair of values of two swept keys, written into its cell; empty where there is none.

    `rows`, at least one, hold a run's values of both keys and of the metric; diverged runs do not count.
    """

    def order(key: str) -> list[Any]:
        return sorted({number_of(row[key]) for row in rows}, key=lambda value: (isinstance(value, str), value))

    columns, lines = order(across), order(down)
    cells: dict[tuple[int, int], list[float]] = {}
    for row in rows:
        value = float(finite([row.get(metric, math.nan)])[0])
        if not math.isnan(value) and str(row.get("diverged")).lower() != "true":
            place = lines.index(number_of(row[down])), columns.index(number_of(row[across]))
            cells.setdefault(place, []).append(value)
    means = np.full((len(lines), len(columns)), math.nan)
    for place, values in cells.items():
        means[place] = np.mean(values)
    figure = new_figure(min(9.0, 1.6 + 0.45 * len(lines)))
    axes = new_axes(figure, f"{metric} by {across} and {down}")
    image = axes.imshow(np.ma.masked_invalid(means), cmap="Blues", aspect="auto")
    middle = (np.nanmin(means) + np.nanmax(means)) / 2 if cells else 0
    if means.size <= 120:
        for (line, column), mean in np.ndenumerate(means):
            if not math.isnan(mean):
                text = f"{mean:.1%}" if metric.endswith("accuracy") else f"{mean:.3g}"
                colour = "white" if mean > middle else "black"
                axes.text(column, line, text, color=colour, fontsize=SMALL, ha="center", va="center")
    for axis, ticks in ((axes.xaxis, columns), (axes.yaxis, lines)):
        every = math.ceil(len(ticks) / 20)
        names = [short(tick, 16) if isinstance(tick, str) else f"{tick:g}" for tick in ticks]
        crowded = axis is axes.xaxis and sum(map(len, names[::every])) > 60
        axis.set_ticks(range(0, len(ticks), every), names[::every], rotation=90 if crowded else 0)
    axes.grid(visible=False)
    axes.set_xlabel(across, fontsize=MEDIUM)
    axes.set_ylabel(down, fontsize=MEDIUM)
    bar = colour_bar(figure, axes, image, metric, "right")
    if metric.endswith("accuracy"):
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1))
    return figure
