"""The sweeps: each ends in a figure and in what it shows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean

from matplotlib.figure import Figure

from experiments import figures
from experiments.prose import Figures, Load, images, missing
from experiments.results import Result, Run, describe, statistics

LOST = 80.0
"""Test error in percent above which a run has learnt nothing (guessing: 90)."""
IMAGES = 54_000
"""Those that an epoch of the sweeps trains on."""


def section(load: Load, drawn: Figures) -> Iterator[str]:
    """Show each sweep's figure, and say what is to be seen."""
    yield "## Sweeps"
    for name, (title, draw) in SWEEPS.items():
        result = load(name)
        yield f"### {title}\n\n{describe(name)}"
        if result is None:
            yield missing([name], load)
            continue
        figure, says = draw(result, title)
        drawn[f"{name}.png"] = figure
        yield says
        yield images([f"{name}.png"])


def rates(result: Result, title: str) -> tuple[Figure, str]:
    """Draw the error against the rate, a line for each optimizer, and say where it is least."""
    series: dict[str, dict[float, list[Run]]] = {}
    for (optimizer, rate), runs in result.groups().items():
        series.setdefault(optimizer, {})[float(rate)] = runs
    best = {name: min(points, key=lambda rate: mean_error(points[rate])) for name, points in series.items()}
    order = sorted(series, key=lambda name: mean_error(series[name][best[name]]))
    where = ", ".join(f"{name} {mean_error(series[name][best[name]]):.2f} % at {best[name]:g}" for name in order)
    near = {
        name: [rate for rate in sorted(points) if mean_error(points[rate]) < 1.5 * mean_error(points[best[name]])]
        for name, points in series.items()
    }
    widths = ", ".join(f"{name} from {near[name][0]:g} to {near[name][-1]:g}" for name in order)
    says = f"The least test errors (mean over seeds): {where}. Within half as much again of its least, {widths}."
    if lost := sum(figures.error(run) > LOST for run in result.runs):
        says += f" {lost} of the {len(result.runs)} runs learnt nothing or diverged."
    return figures.lines(series, "learning rate", f"{title}: test error"), says


def schedules(result: Result, title: str) -> tuple[Figure, str]:
    """Draw the error of each schedule, the least first, and say how they stand to a constant rate."""
    groups = dict(sorted(result.groups().items(), key=lambda item: mean_error(item[1])))
    shown = {name: Result(**vars(result) | {"runs": tuple(runs)}) for (name,), runs in groups.items()}
    (first,), *_, (last,) = groups
    constant = mean_error(groups[("constant",)])
    better = sum(mean_error(runs) < constant for runs in groups.values())
    says = (
        f"The least error has `{first}` ({mean_error(groups[(first,)]):.2f} %), the largest `{last}` "
        f"({mean_error(groups[(last,)]):.2f} %). {better} of the {len(groups) - 1} others are below the constant "
        f"rate's {constant:.2f} %."
    )
    return figures.rungs(shown, f"{title}: test error"), says


def batches(result: Result, title: str) -> tuple[Figure, str]:
    """Draw error and speed against the batch size, and say where each is best."""
    groups = {float(setting[0]): runs for setting, runs in result.groups().items()}
    speed = {size: mean(IMAGES * run.epochs / run.seconds for run in runs) for size, runs in groups.items()}
    best, fastest, largest = (
        min(groups, key=lambda size: mean_error(groups[size])),
        max(speed, key=lambda size: speed[size]),
        max(groups),
    )
    count, error, _ = statistics(groups[largest], figures.error)
    lost = f", where {len(groups[largest]) - count} of {len(groups[largest])} runs diverged"
    says = (
        f"The least error is {mean_error(groups[best]):.2f} %, at {best:g} images a step, and "
        f"{error:.2f} % at {largest:g}{lost * (count < len(groups[largest]))}. Most images a second, "
        f"{speed[fastest] / speed[min(groups)]:.1f} times as many as at {min(groups):g}, are trained on at {fastest:g}."
    )
    return figures.sizes(result, speed, title), says


def activations(result: Result, title: str) -> tuple[Figure, str]:
    """Draw the accuracy of each pair, and say which is best and which do not learn."""
    groups = result.groups()
    best = min(groups, key=lambda pair: mean_error(groups[pair]))
    worst = {
        activation: max((pair for pair in groups if pair[0] == activation), key=lambda pair: mean_error(groups[pair]))
        for activation in dict.fromkeys(pair[0] for pair in groups)
    }
    hardest = ", ".join(
        f"{activation} with {pair[1]} ({mean_error(groups[pair]):.1f} %)" for activation, pair in worst.items()
    )
    stuck = sum(mean_error(runs) > LOST for runs in groups.values())
    says = (
        f"The least error has {best[0]} with {best[1]} ({mean_error(groups[best]):.2f} %); the largest have {hardest}. "
        f"{stuck} of the {len(groups)} pairs learnt nothing in these epochs."
    )
    if any(all(run.diverged for run in runs) for runs in groups.values()):
        says += " All runs of an empty cell diverged."
    return figures.cells(result), says


def mean_error(runs: Sequence[Run]) -> float:
    """Return the mean test error in percent, where a run that diverged counts as guessing."""
    return mean(figures.error(run) for run in runs)


SWEEPS: Mapping[str, tuple[str, Callable[[Result, str], tuple[Figure, str]]]] = {
    "sweep_lr": ("Learning rate by optimizer", rates),
    "sweep_optimizers": ("Adaptive optimizers", rates),
    "sweep_schedule": ("Schedules", schedules),
    "sweep_batch_size": ("Batch size, with the rate in proportion", batches),
    "sweep_activation": ("Activation and initial weights", activations),
}
"""What each sweep is called, and what draws its figure and says what that shows."""
NAMES = tuple(SWEEPS)
