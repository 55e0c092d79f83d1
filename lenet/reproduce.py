"""`python -m lenet.reproduce RUN [key=value …]`: runs a finished run again, and compares every bit that comes out."""

import math
import sys
from collections.abc import Sequence

from lenet.command_line.arguments import Parser
from lenet.command_line.command import DONE, FAILED, run_command, write_out
from lenet.errors import UserError
from lenet.recorded.choosing import ONE_RUN, open_finder, split_one

DESCRIPTION = """\
Run a finished run again from what it recorded, as a new run, and compare every
metric but times and rates, and every weight. Exit code 0 only if all are the
same."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    parser = Parser("python -m lenet.reproduce", DESCRIPTION, ONE_RUN)
    parser.add_argument("words", nargs="*", metavar="RUN|key=value", help="which run; where its data are now")
    parser.add_argument(
        "--tolerance", metavar="X", default="0", help="accept |was - now| up to X · max(1, |was|, |now|) (0: no bit)"
    )
    parser.add_argument(
        "--environment", action="store_true", help="only print what would have to be installed to match the run's"
    )
    parser.add_allow()
    options = parser.read(arguments)
    name, keys, overrides = split_one(options.words)
    tolerance = _tolerance(options.tolerance)
    finder = open_finder(keys.get("tracking.uri"))
    from lenet.recorded.stored import read_stored

    record = finder.single(name)
    stored = read_stored(finder, record, keys.get("tracking.uri"))
    if options.environment:
        import numpy  # noqa: F401 - whose BLAS is described

        from lenet.recorded import environment
        from lenet.repeating.surroundings import requirements

        write_out(requirements(stored.environment(), environment.describe()))
        return DONE
    from lenet.repeating.reproduction import reproduce

    return DONE if reproduce(stored, overrides, options.allow, tolerance) else FAILED


def _tolerance(text: str) -> float:
    try:
        tolerance = float(text)
    except ValueError:
        tolerance = math.nan
    if not 0 <= tolerance < math.inf:
        raise UserError(f"--tolerance is {text}; accepted are numbers from 0 on, such as 1e-6.")
    return tolerance


if __name__ == "__main__":
    sys.exit(main())
