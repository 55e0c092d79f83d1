"""The figures of the report, each drawn from results alone."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

import numpy as np
from matplotlib import colormaps
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from experiments.results import Result, Run, statistics
from lenet import plots
from lenet.plots.style import BLUE, MEDIUM, ORANGE, SMALL, new_axes, new_figure

CHANCE = 90.0
"""Error in percent of ten classes guessed."""
TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 90)
FINE_TICKS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 2.5, 3)
"""Where the errors are within a factor of five of each other and below 3 %."""


def error(run: Run) -> float:
    """Return the share of the test images that is wrong, in percent; that of guessing for a run that diverged."""
    return CHANCE if run.diverged else run.error


def curves(run: Run, title: str) -> Figure:
    """Loss and accuracy of one run, on twin axes."""
    epochs = range(len(run.history["val/loss"]))
    return plots.curves([{name: values[epoch] for name, values in run.history.items()} for epoch in epochs], title)


def rungs(results: Mapping[str, Result], title: str) -> Figure:
    """The error of each result, from the top down: a dot for each run, and a ring and bar for mean ± deviation."""
    figure = new_figure(0.9 + 0.36 * len(results))
    axes = new_axes(figure, title)
    for place, result in enumerate(results.values()):
        errors = [error(run) for run in result.runs]
        axes.plot(errors, [place] * len(errors), "o", color=BLUE, ms=4, alpha=0.6)
        deviation = stdev(errors) if len(errors) > 1 else 0.0
        axes.errorbar([mean(errors)], [place], xerr=[deviation], fmt="o", mfc="none", color=ORANGE, ms=11, mew=1.5)
    axes.set_yticks(range(len(results)), list(results), fontsize=SMALL)
    axes.invert_yaxis()
    axes.set_xscale("log")
    _percent(axes.xaxis)
    axes.set_xlabel("test error, % (dots: seeds; rings: mean ± standard deviation)", fontsize=MEDIUM)
    return figure


def lines(series: Mapping[str, Mapping[float, Sequence[Run]]], label: str, title: str) -> Figure:
    """The error against a number, a line through the means of each name, and a band over all its seeds."""
    figure = new_figure(4.4)
    axes = new_axes(figure, title)
    palette = colormaps["viridis"](np.linspace(0, 0.88, len(series)))
    for (name, points), colour in zip(series.items(), palette, strict=True):
        values = sorted(points)
        errors = np.array([[error(run) for run in points[value]] for value in values])
        axes.fill_between(values, errors.min(axis=1), errors.max(axis=1), color=colour, alpha=0.15, lw=0)
        axes.plot(values, errors.mean(axis=1), "o-", color=colour, ms=4, lw=1.3, label=name)
    axes.set(xscale="log", yscale="log")
    _percent(axes.yaxis)
    axes.set_xlabel(label, fontsize=MEDIUM)
    axes.set_ylabel("test error, % (bands: all seeds)", fontsize=MEDIUM)
    figure.legend(loc="outside lower center", ncols=6, fontsize=SMALL, frameon=False)
    return figure


def sizes(result: Result, speed: Mapping[float, float], title: str) -> Figure:
    """The error against the batch size (left axis; runs that diverged are left out) and images per second (right)."""
    points = {float(setting[0]): runs for setting, runs in result.groups().items()}
    figure = new_figure(4.4)
    left = new_axes(figure, title)
    right = left.twinx()
    values = sorted(points)
    left.plot(values, [statistics(points[value], error)[1] for value in values], "o-", color=BLUE)
    for value in values:
        errors = [error(run) for run in points[value] if not run.diverged]
        left.plot([value] * len(errors), errors, "o", color=BLUE, ms=3, alpha=0.5)
    right.plot(values, [speed[value] / 1000 for value in values], "s--", color=ORANGE, ms=4)
    left.set_xscale("log", base=2)
    left.set_xticks(values, [f"{value:g}" for value in values])
    left.set_xlabel("batch size", fontsize=MEDIUM)
    left.set_ylabel("test error, %", color=BLUE, fontsize=MEDIUM)
    right.set_ylabel("thousand images a second", color=ORANGE, fontsize=MEDIUM)
    left.set_ylim(bottom=0)
    right.set_ylim(bottom=0)
    right.spines[:].set_visible(False)
    return figure


def cells(result: Result) -> Figure:
    """A heat map of the mean test accuracy over both keys that were swept besides the seed."""
    down, across = [key for key in result.runs[0].swept if key != "seed"]
    rows = [
        {**run.swept, "test/accuracy": run.metrics["test/accuracy"], "diverged": run.diverged} for run in result.runs
    ]
    return plots.heat_map(rows, across, down, "test/accuracy")


def _percent(axis: Axis) -> None:
    """Label a logarithmic axis of percentages where its data lie."""
    low, high = axis.get_view_interval()
    axis.set_ticks([tick for tick in (FINE_TICKS if high < min(5 * low, 3) else TICKS) if low <= tick <= high])
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
