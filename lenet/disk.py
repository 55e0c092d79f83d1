"""`python -m lenet.disk [RUN …] [key=value …]`: what runs take on disk. Nothing is changed or deleted."""

import sys
from collections.abc import Sequence
from typing import get_args

from lenet.command_line.arguments import Parser
from lenet.command_line.command import DONE, run_command, write_out
from lenet.common.tables import Format
from lenet.recorded.choosing import EPILOG, choose, open_finder, split

DESCRIPTION = """\
Show what runs take on disk, the largest first; nothing is deleted. 1 MB is
1,000,000 bytes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    parser = Parser("python -m lenet.disk", DESCRIPTION, EPILOG)
    parser.add_argument("runs", nargs="*", metavar="RUN|key=value", help="which runs")
    parser.add_choice("--format", get_args(Format), default="table", help="how to print it (%(default)s)")
    options = parser.read(arguments)
    names, keys = split(options.runs)
    finder = open_finder(keys.get("tracking.uri"))
    from lenet.reports.usage import render, usage

    runs = choose(finder, names, keys.get("tracking.experiment"), sweeps=True)
    write_out(render(usage(finder, runs, finder.uri), options.format, finder.uri))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
