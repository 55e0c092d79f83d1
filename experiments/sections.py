"""The sections of the report: what each asks, its tables, its figures, and sentences made of its numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean

from matplotlib.figure import Figure
from scipy.stats import binom
from tabulate import tabulate

from experiments import figures
from experiments.results import FOLDER, Result, Run, describe, spread, statistics

Figures = dict[str, Figure]
"""Figures by the names of their files."""
Load = Callable[[str], Result | None]

DRAWN = 64
"""Test images that `data.validation=report` draws after each epoch."""
REPORT = ("report_lr_0.01", "report_lr_0.005", "report_piecewise")
RECIPES = ("fastest", "best", "best_augmented", "best_long")


def report(load: Load, drawn: Figures) -> Iterator[str]:
    """The course report redone: accuracy on 64 images beside that on all."""
    yield (
        "## The course report, redone\n\nSigmoid, average pooling, standard-normal weights, plain SGD, one image drawn "
        "from each block of 64, 50 epochs; after each, the accuracy on 64 test images drawn with replacement."
    )
    rows = []
    measured = [result for name in REPORT if (result := load(name))]
    for result in measured:
        accuracies = [100 * mean([run.metrics["test/accuracy"]]) for run in result.runs]
        highest = [100 * max(run.history["val/accuracy"]) for run in result.runs]
        expected = highest_by_chance(mean(accuracies) / 100, len(result.runs[0].history["val/accuracy"]))
        rows.append(
            [
                f"`{result.name}`",
                len(result.runs),
                spread(result.runs, lambda run: 100 * run.metrics["val/accuracy"]),
                f"{mean(highest):.2f} (at most {max(highest):.2f})",
                f"{100 * expected:.2f}",
                spread(result.runs, lambda run: 100 * run.metrics["test/accuracy"]),
            ]
        )
        name = f"{result.name}.png"
        drawn[name] = figures.curves(result.runs[0], f"{result.name}, seed {result.runs[0].swept['seed']}")
    yield missing(REPORT, load)
    if not rows:
        return
    yield table(
        ["experiment", "n", "last on 64, %", "highest of 50 on 64, %", "by chance, %", "on all 10,000, %"], rows
    )
    best = max(measured, key=lambda result: mean(run.metrics["test/accuracy"] for run in result.runs))
    accuracy = mean(run.metrics["test/accuracy"] for run in best.runs)
    chance = highest_by_chance(accuracy, len(best.runs[0].history["val/accuracy"]))
    peak = max(max(run.history["val/accuracy"]) for result in measured for run in result.runs)
    yield (
        "*By chance* is the highest of 50 draws of 64 images that is to be expected of a network that stays at the "
        f'accuracy on all images. So a figure of "up to 98 %" is what a network of {100 * accuracy:.1f} % shows when '
        f"the best of 50 looks at 64 images is reported ({100 * chance:.1f} % expected; {100 * peak:.1f} % seen here)."
    )
    yield images(f"{result.name}.png" for result in measured)


def highest_by_chance(accuracy: float, looks: int, drawn: int = DRAWN) -> float:
    """Return the expected highest of so many accuracies, each on `drawn` images of which each is right independently.

    The mean of a maximum of independent counts: the sum over k of P(maximum > k), each 1 - P(count ≤ k)^looks.
    """
    return float(sum(1 - binom.cdf(k, drawn, accuracy) ** looks for k in range(drawn))) / drawn


def ladder(load: Load, drawn: Figures) -> Iterator[str]:
    """From the report's network to the best, one change at a time."""
    names = sorted(path.stem for path in FOLDER.glob("ladder_*.yaml"))
    yield (
        "## The ladder\n\nWhat the report wished for, and what else helps: each rung changes one thing of the rung "
        "above it (those beside the ladder, of the rung that they name as their base). Each holds a tenth of the "
        "training images out to validate."
    )
    yield missing(names, load)
    measured = {name.removeprefix("ladder_"): result for name in names if (result := load(name))}
    if not measured:
        return
    rows = [[rung, describe(result.name), *figures_of(result.runs)] for rung, result in measured.items()]
    yield table(["rung", "change", *HEADERS], rows)
    drawn["ladder.png"] = figures.rungs(measured, "The ladder: test error by rung")
    yield images(["ladder.png"])


HEADERS = ("n", "test error, %", "validation, %", "epochs", "seconds")


def figures_of(runs: Sequence[Run]) -> list[str | int]:
    """Return what tables say of runs under `HEADERS`."""
    return [
        statistics(runs, lambda run: run.error)[0],
        spread(runs, lambda run: run.error),
        spread(runs, lambda run: 100 * run.metrics["val/accuracy"]),
        len(runs[0].history["val/accuracy"]),
        spread(runs, lambda run: run.seconds, 1),
    ]


def published(load: Load, drawn: Figures) -> Iterator[str]:
    """LeNet-5 as published."""
    result = load("lenet5_1998")
    if result is None:
        return
    yield f"## LeNet-5 as published\n\n{describe(result.name)}"
    yield table(["experiment", *HEADERS], [[f"`{result.name}`", *figures_of(result.runs)]])
    yield "The paper says 0.95 % after 20 passes. [What it leaves open, and what was chosen](notes/lenet5_1998.md)."


def recipes(load: Load, drawn: Figures) -> Iterator[str]:
    """The best recipe, without and with augmentation, and the fastest."""
    yield (
        "## The best recipe\n\nThe default network of 61,706 parameters. Settings were chosen by the accuracy on the "
        "held-out tenth of the training images alone. Seconds are those of all training steps, on one core."
    )
    names = [name for name in RECIPES if (FOLDER / f"{name}.yaml").exists()]
    yield missing(names, load)
    measured = [result for name in names if (result := load(name))]
    rows = [[f"`{result.name}`", describe(result.name), *figures_of(result.runs)] for result in measured]
    yield table(["experiment", "what it is", *HEADERS], rows) if rows else ""


def sweeps(load: Load, drawn: Figures) -> Iterator[str]:
    """The sweeps, each with a figure and what it shows."""
    yield "## Sweeps"
    for name, title, draw in (
        ("sweep_lr", "Learning rate by optimizer", rates),
        ("sweep_optimizers", "Adaptive optimizers", rates),
        ("sweep_schedule", "Schedules", schedules),
        ("sweep_batch_size", "Batch size, with the rate in proportion", batches),
        ("sweep_activation", "Activation and initial weights", activations),
    ):
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
    trained = 54_000 * len(result.runs[0].history["val/loss"])
    speed = {size: trained / mean(run.seconds for run in runs) for size, runs in groups.items()}
    best, fastest, largest = (
        min(groups, key=lambda size: mean_error(groups[size])),
        max(speed, key=lambda size: speed[size]),
        max(groups),
    )
    says = (
        f"The least error is {mean_error(groups[best]):.2f} %, at {best:g} images a step, and "
        f"{mean_error(groups[largest]):.2f} % at {largest:g}. Most images a second, "
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
    stuck = sum(mean_error(runs) > 80 for runs in groups.values())
    says = (
        f"The least error has {best[0]} with {best[1]} ({mean_error(groups[best]):.2f} %); the largest have {hardest}. "
        f"{stuck} of the {len(groups)} pairs learnt nothing in these epochs."
    )
    return figures.cells(result), says


def mean_error(runs: Sequence[Run]) -> float:
    """Return the mean test error in percent, where a run that diverged counts as guessing."""
    return mean(figures.error(run) for run in runs)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def images(names: Iterator[str] | Sequence[str]) -> str:
    """Return Markdown that shows figures."""
    return "\n\n".join(f"![{name.removesuffix('.png')}](figures/{name})" for name in names)


def missing(names: Sequence[str], load: Load) -> str:
    """Say which experiments have not been measured, or nothing."""
    absent = [f"`{name}`" for name in names if load(name) is None]
    return f"Not yet measured: {', '.join(absent)}." if absent else ""


SECTIONS: Mapping[str, Callable[[Load, Figures], Iterator[str]]] = {
    "report": report,
    "ladder": ladder,
    "published": published,
    "recipes": recipes,
    "sweeps": sweeps,
}
