"""`python -m lenet.runs [NAME …] [key=value …]`: what the store holds. Nothing is changed."""

import sys
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, get_args

from lenet.command_line.arguments import Parser
from lenet.command_line.command import DONE, run_command, terminal_width, write_out
from lenet.common.tables import COLUMNS, Format
from lenet.errors import UserError, did_you_mean
from lenet.recorded.choosing import open_finder, split

if TYPE_CHECKING:
    from lenet.tracking.finding import Finder
    from lenet.tracking.record import RunRecord

DESCRIPTION = """\
List the runs of a store, the newest first. A sweep is one line, with its number
of runs (those finished of them, if not all are) and what the best of them
reached."""
EPILOG = """\
NAME is that of an experiment, or of a sweep, whose runs are listed with it, by
name, id, the beginning of one, or `last`. Without one, all experiments are
meant.
Keys: tracking.uri=ADDRESS, tracking.experiment=NAME."""
STATUS = ("running", "finished", "failed", "killed", "diverged")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    parser = Parser("python -m lenet.runs", DESCRIPTION, EPILOG)
    parser.add_argument("names", nargs="*", metavar="NAME|key=value", help="what to list")
    parser.add_argument("--all", action="store_true", help="list the runs of sweeps too, each in a line of its own")
    parser.add_choice("--status", STATUS, help="list these alone")
    parser.add_argument("--filter", default="", help="list these alone: MLflow's filter on runs")
    parser.add_argument("--limit", metavar="N", help="list the newest N alone")
    parser.add_choice("--format", get_args(Format), default="table", help="how to print it (%(default)s)")
    options = parser.read(arguments)
    names, keys = split(options.names)
    limit = _limit(options.limit)
    if "tracking.experiment" in keys:
        names.append(keys["tracking.experiment"])
    finder = open_finder(keys.get("tracking.uri"))
    from lenet.reports.listing import render
    from lenet.reports.overview import overview

    experiments = finder.experiments()
    runs, unfolded, empty = _meant(finder, names, experiments)
    places = {run.experiment_id for run in runs}
    wanted = {run.id for run in finder.filtered(options.filter, places)} if options.filter else None
    by_id = {id: name for name, id in experiments.items()}
    rows = overview(runs, by_id, wanted, options.status, None if options.all else unfolded)
    everything = wanted is None and options.status is None
    width = terminal_width(sys.stdout) or COLUMNS
    write_out(render(rows[:limit], options.format, empty if everything else (), width))
    return DONE


def _meant(
    finder: "Finder", names: Sequence[str], experiments: Mapping[str, str]
) -> "tuple[list[RunRecord], set[str], list[str]]":
    """Return the runs that are meant, the sweeps that are named (ids), and the experiments that are empty (names)."""
    runs: dict[str, RunRecord] = {}
    unfolded: set[str] = set()
    whole = [name for name in names if name in experiments] if names else list(experiments)
    if whole:
        runs |= {run.id: run for run in finder.search("", [experiments[name] for name in whole])}
    holding = {run.experiment_id for run in runs.values()}
    for name in names:
        if name not in experiments:
            run = _found(finder, name, experiments)
            unfolded.add(run.id)
            runs |= {each.id: each for each in (run, *finder.children(run))}
    return list(runs.values()), unfolded, [name for name in whole if experiments[name] not in holding]


def _found(finder: "Finder", name: str, experiments: Collection[str]) -> "RunRecord":
    """Return the run that a name means, which is no experiment's."""
    hint = did_you_mean(name, experiments)
    try:
        return finder.find(name)
    except UserError as error:
        raise UserError(f"{error} Or an experiment: {', '.join(experiments)}.{hint}") from None


def _limit(text: str | None) -> int | None:
    if text is not None and not (text.isdecimal() and int(text) > 0):
        raise UserError(f"--limit is {text}; accepted are whole numbers from 1 on.")
    return None if text is None else int(text)


if __name__ == "__main__":
    sys.exit(main())
