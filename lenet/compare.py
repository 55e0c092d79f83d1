"""`python -m lenet.compare [RUN …] [key=value …]`: runs side by side, with what tells them apart."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from lenet.command_line.arguments import Parser
from lenet.command_line.command import DONE, run_command, terminal_width, write_out
from lenet.common.tables import COLUMNS, Format
from lenet.errors import UserError
from lenet.recorded.choosing import EPILOG, choose, open_finder, split

if TYPE_CHECKING:
    from lenet.reports.comparison import Comparison

LR = "optimizer.lr"
CONFIDENCE = 0.95


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    options = _parser().read(arguments)
    names, keys = split(options.runs)
    target = _checked_target(options.plot)
    confidence = _checked_confidence(options)
    from lenet.reports.comparison import compare, default_metric, render

    finder = open_finder(keys.get("tracking.uri"))
    runs = choose(finder, names, keys.get("tracking.experiment"), options.filter)
    comparison = compare(runs, options.metric or default_metric(runs))
    if options.pairwise:
        from lenet.reports.pairwise.report import report

        write_out(report(runs, comparison.metric, confidence, options.format))
        return DONE
    write_out(render(comparison, options.format, terminal_width(sys.stdout) or COLUMNS))
    if target:
        _plot(comparison, target)
    return DONE


def _parser() -> Parser:
    parser = Parser(
        "python -m lenet.compare", "Compare runs: the parameters that differ, and what each run reached.", EPILOG
    )
    parser.add_argument("runs", nargs="*", metavar="RUN|key=value", help="what to compare")
    parser.add_argument("--metric", metavar="M", help="what to sort by (best/val_accuracy)")
    parser.add_choice("--format", get_args(Format), default="table", help="how to print it (%(default)s)")
    parser.add_argument("--pairwise", action="store_true", help="compare groups of runs over the seeds they share")
    parser.add_argument("--confidence", metavar="C", help=f"of the intervals of --pairwise ({CONFIDENCE})")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the metric against what differs (the rate first)")
    parser.add_argument("--filter", default="", help="MLflow's filter on the runs of an experiment")
    return parser


def _checked_confidence(options: argparse.Namespace) -> float:
    """Return the confidence of the intervals; raise `UserError` for none, or where there are no intervals."""
    if options.pairwise and options.plot:
        raise UserError("--plot draws runs and --pairwise compares groups of them: give one of the two.")
    if options.confidence is None:
        return CONFIDENCE
    if not options.pairwise:
        raise UserError("--confidence is that of the intervals of --pairwise, which is missing.")
    try:
        confidence = float(options.confidence)
    except ValueError:
        confidence = math.nan
    if not 0 < confidence < 1:
        raise UserError(f"--confidence is {options.confidence}; accepted are numbers between 0 and 1, such as 0.95.")
    return confidence


def _checked_target(plot: str | None) -> Path | None:
    """Return where the figure goes; raise `UserError` at once for another format or a file that is there."""
    if plot is None:
        return None
    path = Path(plot)
    if path.suffix.lower() != ".png":
        raise UserError(f"--plot: `{plot}` does not end in .png, the one format that is drawn.")
    try:
        path.stat()  # from Python 3.14 on, `exists` says no of what cannot be
    except (FileNotFoundError, NotADirectoryError):
        return path
    except OSError as error:
        raise UserError(f"--plot: `{plot}` cannot be a file here ({error.strerror}).") from error
    raise UserError(f"--plot: {path} is there already, and is not overwritten; name another file.")


def _plot(comparison: "Comparison", target: Path) -> None:
    from lenet import plots  # Matplotlib takes half a second to import
    from lenet.common.files import write_atomically

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
