"""`python -m lenet.compare [RUN …] [key=value …]`: runs side by side, with what tells them apart."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from lenet.command import DONE, run_command, write_out
from lenet.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from lenet.comparison import Comparison
    from lenet.tracking.finding import Finder
    from lenet.tracking.store import RunRecord

KEYS = ("tracking.uri", "tracking.experiment")
EXPERIMENT = "lenet"
"""Where runs are looked for when none is named; the default of `tracking.experiment`."""

LR = "optimizer.lr"

EPILOG = """\
RUN is a run's id or the beginning of one, a run's name, `last`, `best:SWEEP`, a sweep (its runs are
compared), or the name of an experiment (all its runs are). Without one, all runs of tracking.experiment
(lenet) are compared. Keys: tracking.uri=ADDRESS, tracking.experiment=NAME."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    options = _parser().parse_intermixed_args(list(arguments))
    names, keys = _split(options.runs)
    target = _checked_target(options.plot)
    from lenet.tracking.importing import without_collections

    with without_collections():
        from lenet.comparison import compare, render
        from lenet.tracking.address import tracking_uri
        from lenet.tracking.finding import Finder

    finder = Finder(tracking_uri(keys.get("tracking.uri")))
    runs = _chosen(finder, names, keys.get("tracking.experiment"), options.filter)
    comparison = compare(runs, options.metric)
    write_out(render(comparison, options.format))
    if target:
        _plot(comparison, target)
    return DONE


def _parser() -> argparse.ArgumentParser:
    from lenet.comparison import Format

    parser = argparse.ArgumentParser(
        prog="python -m lenet.compare",
        description="Compare runs: the parameters that differ, and what each run reached.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="*", metavar="RUN|key=value", help="what to compare")
    parser.add_argument("--metric", default="best/val_accuracy", metavar="M", help="what to sort by (%(default)s)")
    parser.add_argument("--format", default="table", choices=get_args(Format), help="how to print it (%(default)s)")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the metric against what differs (the rate first)")
    parser.add_argument("--filter", default="", help="MLflow's filter on the runs of an experiment")
    return parser


def _split(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Tell this command's keys from the names of runs, which may hold a `=` too (`lr=0.01`)."""
    keys: dict[str, str] = {}
    names: list[str] = []
    for word in words:
        key, separator, value = word.partition("=")
        if separator and key in KEYS:
            keys[key] = value
        elif separator and (hint := did_you_mean(key, KEYS, 0.8)):
            raise UserError(f"unknown key `{key}`.{hint} Accepted: {', '.join(KEYS)}.")
        else:
            names.append(word)
    return names, keys


def _checked_target(plot: str | None) -> Path | None:
    """Return where the figure goes; raise `UserError` at once for another format or a file that is there."""
    if plot is None:
        return None
    path = Path(plot)
    if path.suffix.lower() != ".png":
        raise UserError(f"--plot: `{plot}` does not end in .png, the one format that is drawn.")
    try:
        taken = path.exists()
    except OSError as error:
        raise UserError(f"--plot: `{plot}` cannot be a file here ({error.strerror}).") from error
    if taken:
        raise UserError(f"--plot: {path} is there already, and is not overwritten; name another file.")
    return path


def _chosen(finder: "Finder", names: Sequence[str], experiment: str | None, wanted: str) -> "list[RunRecord]":
    """Return the runs that are meant, each once, in the order in which they were named."""
    from lenet.tracking.finding import is_sweep

    experiments = finder.experiments()
    named = [name for name in names if name in experiments]
    if names and experiment is not None:
        raise UserError("tracking.experiment is for comparing a whole experiment: name it, or runs, not both.")
    if not names:
        named = [EXPERIMENT if experiment is None else experiment]
    if wanted and not named:
        raise UserError("--filter picks among the runs of an experiment: name one, or no run.")
    runs: list[RunRecord] = []
    for name in names or named:
        if name in named:
            if name not in experiments:
                hint = did_you_mean(name, experiments)
                raise UserError(f"there is no experiment `{name}`.{hint} Accepted: {', '.join(experiments)}.")
            found = finder.filtered(wanted, [experiments[name]])
            runs += [run for run in reversed(found) if not is_sweep(run)]
        else:
            run = finder.find(name)
            runs += finder.children(run) if is_sweep(run) else [run]
    if not runs:
        raise UserError(
            f"there is no run to compare in {', '.join(names or named)}{' with this filter' * bool(wanted)}."
        )
    return list({run.id: run for run in runs}.values())


def _plot(comparison: "Comparison", target: Path) -> None:
    from lenet import plots  # Matplotlib takes half a second to import
    from lenet.files import write_atomically

    columns = {key: comparison.column(key) for key in comparison.keys}
    key = columns.get(LR) or next(iter(columns.values()), "run")
    missing = dict.fromkeys(columns.values(), "–") | {comparison.metric: math.nan}
    rows = [row | {name: none for name, none in missing.items() if row[name] is None} for row in comparison.rows()]
    try:
        write_atomically(target, plots.to_png(plots.sweep(rows, key, comparison.metric)))
    except OSError as error:
        raise UserError(f"--plot: {target} cannot be written ({error.strerror}).") from error


if __name__ == "__main__":
    sys.exit(main())
