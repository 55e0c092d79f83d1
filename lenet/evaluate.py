"""`python -m lenet.evaluate RUN [key=value …]`: scores a run's network on its own test set, or on other data."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from lenet.command_line.arguments import Parser
from lenet.command_line.command import DONE, run_command, write_error, write_out
from lenet.command_line.completion import RUNS
from lenet.recorded.choosing import ONE_RUN, open_finder, split_one

DESCRIPTION = """\
Score a run's network on the test set of its own data, or on others: data=…
with its keys. Of others it is their test set, or all images if they have none,
but for those that the run was trained on or chose its best epoch by. Told are
loss, accuracy, precision and recall of each class, the confusion matrix and
calibration; all is added to the run, under a free name."""

KEYS = ("data=", "data.", "backend.")
"""What is suggested of all that a run's configuration has."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    parser = Parser("python -m lenet.evaluate", DESCRIPTION, ONE_RUN)
    words = parser.add_argument(
        "words", nargs="*", metavar="RUN|key=value", help="which run; data=…, or where its data are now"
    )
    words.completer = _complete  # type: ignore[attr-defined]
    parser.add_choice("--checkpoint", ("best", "last"), help="whose weights (best, where there is one)")
    parser.add_choice("--format", ("table", "json"), default="table", help="how to print it (%(default)s)")
    parser.add_argument("-cd", "--config-dir", metavar="FOLDER", help="a folder with groups of your own, for data=…")
    parser.add_argument(
        "--prepare",
        action="store_true",
        help="bring the files of data=image_folder to the network as predict does, whatever data.size says",
    )
    parser.add_allow()
    options = parser.read(arguments)
    name, keys, overrides = split_one(options.words)
    finder = open_finder(keys.get("tracking.uri"))
    from lenet.inference.evaluation import evaluate, record, to_text
    from lenet.inference.scorecard import render, what_is_compared
    from lenet.recorded.stored import read_stored

    stored = read_stored(finder, finder.single(name), keys.get("tracking.uri"))
    evaluation = evaluate(stored, overrides, options.allow, options.checkpoint, options.config_dir, options.prepare)
    if options.format == "json":
        write_error(what_is_compared(evaluation))
    write_out(render(evaluation) if options.format == "table" else to_text(evaluation))
    with redirect_stdout(sys.stderr):  # what is logged by then is no part of the scores
        added = record(evaluation)
    write_error(f"added to the run: metrics evaluation/{added}/…, artifacts evaluations/{added}/…\n")
    return DONE


def _complete(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    from lenet.command_line.suggestions import overrides

    before = [word for word in parsed_args.words or () if word.startswith(KEYS)]
    found = overrides(prefix, before, parsed_args.config_dir)
    return [*RUNS, *(each for each in found if each.startswith(KEYS))]


if __name__ == "__main__":
    sys.exit(main())
