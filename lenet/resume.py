"""`python -m lenet.resume RUN [key=value …]`: goes on with a run that was interrupted, or extends a finished one."""

import sys
from collections.abc import Sequence

from lenet.command_line.arguments import Parser
from lenet.command_line.command import DONE, run_command
from lenet.recorded.choosing import ONE_RUN, open_finder, split_one

DESCRIPTION = """\
Go on with an interrupted run, in the same MLflow run, from its last checkpoint
or without one from its start. A finished run is extended: trainer.epochs=MORE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    parser = Parser("python -m lenet.resume", DESCRIPTION, ONE_RUN)
    parser.add_argument("words", nargs="*", metavar="RUN|key=value", help="which run, and what to change of it")
    parser.add_allow()
    options = parser.read(arguments)
    name, keys, overrides = split_one(options.words)
    finder = open_finder(keys.get("tracking.uri"))
    from lenet.recorded.continuation import continuation
    from lenet.recorded.stored import read_stored
    from lenet.repeating.surroundings import say_surroundings
    from lenet.running.experiment import execute
    from lenet.running.workbench import Workbench

    record = finder.single(name)
    stored = read_stored(finder, record, keys.get("tracking.uri"))
    plan, earlier = continuation(stored, overrides, options.allow)
    bench = Workbench()
    say_surroundings(stored, plan, bench)
    execute(plan, stored.overrides, bench=bench, earlier=earlier)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
