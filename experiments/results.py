"""What an experiment measured, as a small file keeps it: one run a line, from which every table and figure is made."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"


@dataclass(frozen=True)
class Run:
    """One run: what was swept, its last metrics, its history by metric (an epoch an entry), and its training's seconds.

    `seconds` are those of all steps: an epoch's images over its images per second.
    """

    swept: Mapping[str, str]
    metrics: Mapping[str, float]
    history: Mapping[str, Sequence[float]]
    seconds: float
    diverged: bool

    @property
    def seed(self) -> str:
        """What the run's random numbers followed from."""
        return self.swept["seed"]

    @property
    def epochs(self) -> int:
        """How many epochs it was trained for."""
        return len(self.history["val/loss"])

    @property
    def error(self) -> float:
        """The share of the test images that is wrong, in percent."""
        return 100 * (1 - self.metrics["test/accuracy"])


@dataclass(frozen=True)
class Result:
    """An experiment's runs, and what they were made with."""

    name: str
    command: str
    commit: str
    dirty: bool
    date: str
    machine: str
    data: str
    runs: tuple[Run, ...]

    @property
    def is_plain(self) -> bool:
        """Whether the runs were all of the experiment's own, with nothing changed on the command line."""
        return self.command == f"python -m lenet.run experiment={self.name} -m"

    def groups(self) -> "dict[tuple[str, ...], list[Run]]":
        """Return the runs by the values of what was swept besides the seed, in the order of the runs."""
        groups: dict[tuple[str, ...], list[Run]] = {}
        for run in self.runs:
            groups.setdefault(tuple(value for key, value in run.swept.items() if key != "seed"), []).append(run)
        return groups


def load(name: str, folder: Path = RESULTS) -> Result | None:
    """Return what an experiment measured, or None if it has not been."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    return Result(**stored | {"runs": tuple(Run(**run) for run in stored["runs"])})


def dumps(result: Result) -> str:
    """Return a result as JSON with one line for each run."""
    head = {key: value for key, value in asdict(result).items() if key != "runs"}
    runs = ",\n".join(f"  {json.dumps(asdict(run), allow_nan=True)}" for run in result.runs)
    return f'{json.dumps(head, indent=1, ensure_ascii=False)[:-2]},\n "runs": [\n{runs}\n ]\n}}\n'


def statistics(runs: Sequence[Run], value: Callable[[Run], float]) -> tuple[int, float, float]:
    """Return how many of the runs did not diverge, and their mean and sample standard deviation (NaN for too few)."""
    values = [value(run) for run in runs if not run.diverged]
    average = mean(values) if values else math.nan
    return len(values), average, stdev(values) if len(values) > 1 else math.nan


def spread(runs: Sequence[Run], value: Callable[[Run], float], digits: int = 2) -> str:
    """Write the mean ± the standard deviation, or that all diverged."""
    count, average, deviation = statistics(runs, value)
    if not count:
        return "diverged"
    return f"{average:.{digits}f} ± {deviation:.{digits}f}" if count > 1 else f"{average:.{digits}f}"


def describe(name: str, folder: Path = FOLDER) -> str:
    """Return the first comment of an experiment's file, which says what it is."""
    lines = []
    for line in (folder / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)


def to_dict(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers to six significant digits: enough for every figure, and short."""
    return {key: float(f"{value:.6g}") for key, value in values.items()}
