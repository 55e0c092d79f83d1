"""The ladder: from the report's network to the best one, one change at a time."""

from collections.abc import Iterator, Mapping

import yaml
from scipy.stats import ttest_ind_from_stats

from experiments import figures
from experiments.prose import HEADERS, Figures, Load, facts, images, listed, missing, table
from experiments.results import FOLDER, Result, describe, statistics

BESIDE = "Beside the ladder: "
"""What the description of a change begins with on which no further one stands."""
SURE = 0.05
"""The probability of a difference by chance below which two rungs are told apart."""


def names() -> list[str]:
    """Return the rungs' experiments, from the first."""
    return sorted(path.stem for path in FOLDER.glob("ladder_*.yaml"))


def base(name: str) -> str:
    """Return the experiment that a rung changes."""
    return str(yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))["defaults"][0])


def section(load: Load, drawn: Figures) -> Iterator[str]:
    """Show what each change is worth."""
    yield (
        "## The ladder\n\nWhat the report wished for, and what else helps: each rung changes one thing of the rung "
        "above it, those beside the ladder one of its last rung (*change*: in points of the test error, of the means). "
        "Each holds a tenth of the training images out to validate."
    )
    yield missing(names(), load)
    measured = {name: result for name in names() if (result := load(name))}
    if not measured:
        return
    rows = []
    for name, result in measured.items():
        below = measured.get(base(name))
        change = f"{_error(result) - _error(below):+.2f}".replace("-", "−") if below else ""
        rows.append([f"`{_short(name)}`", describe(name), *facts(result.runs), change])
    yield table(["rung", "what is changed", *HEADERS, "change"], rows)
    yield " ".join(_sentences(measured))
    drawn["ladder.png"] = figures.rungs(
        {_short(name): result for name, result in measured.items()}, "The ladder: test error by rung"
    )
    yield images(["ladder.png"])


def _sentences(measured: Mapping[str, Result]) -> Iterator[str]:
    """Say how far the ladder goes, which rungs are worse than those above, and which changes may be chance."""
    changes = {
        name: _error(result) - _error(measured[base(name)])
        for name, result in measured.items()
        if base(name) in measured
    }
    rungs = [name for name in changes if not describe(name).startswith(BESIDE)]
    if rungs:
        largest = min(rungs, key=lambda name: changes[name])
        before, after = _error(measured[base(largest)]), _error(measured[largest])
        yield (
            f"The ladder goes from {_error(measured[base(rungs[0])]):.2f} to {_error(measured[rungs[-1]]):.2f} %; its "
            f"largest step is `{_short(largest)}`, from {before:.2f} to {after:.2f} %."
        )
    if worse := [f"`{_short(name)}`" for name in rungs if changes[name] > 0]:
        yield f"Worse than the rung above, by themselves: {listed(worse)}."
    unsure = [f"`{_short(name)}`" for name in changes if not _differ(measured[name], measured[base(name)])]
    told = "Every change is told" if not unsure else f"{listed(unsure)} {'is' if len(unsure) == 1 else 'are'} not told"
    yield f"{told} apart from chance by so few seeds (Welch's t-test, two-sided, at {SURE:g})."


def _differ(one: Result, other: Result) -> bool:
    """Say whether two results' errors differ by more than the seeds explain."""
    first, second = (statistics(result.runs, lambda run: run.error) for result in (one, other))
    (count, average, deviation), (other_count, other_average, other_deviation) = first, second
    if min(count, other_count) < 2:
        return False
    if not deviation and not other_deviation:  # without a deviation there is no t
        return average != other_average
    samples = average, deviation, count, other_average, other_deviation, other_count
    return bool(ttest_ind_from_stats(*samples, equal_var=False).pvalue < SURE)


def _error(result: Result) -> float:
    return statistics(result.runs, lambda run: run.error)[1]


def _short(name: str) -> str:
    return name.removeprefix("ladder_")
