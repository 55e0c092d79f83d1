"""`python -m lenet.deliver [FOLDER …] [tracking.uri=ADDRESS]`: gives stores what runs could not deliver."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lenet.arguments import Parser
from lenet.command import DONE, FAILED, run_command
from lenet.errors import Failure, UserError

log = logging.getLogger(__name__)

DESCRIPTION = """\
Deliver what runs recorded while their store did not answer: what lies in FOLDER,
or without one everything below mlruns/undelivered. What is delivered is removed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    parser = Parser("python -m lenet.deliver", DESCRIPTION, "Keys: tracking.uri=ADDRESS, the store to deliver to.")
    parser.add_argument("words", nargs="*", metavar="FOLDER|key=value", help="a folder that a run has named")
    words = parser.read(arguments).words
    folders = [Path(word) for word in words if not word.startswith("tracking.uri=")]
    uri = next((word.partition("=")[2] for word in words if word.startswith("tracking.uri=")), None)
    from lenet.tracking.redelivery import redeliver, undelivered

    found = folders or undelivered()
    if not found:
        log.info("nothing is undelivered here")
    problems: list[Failure | UserError] = []
    for folder in found:
        try:
            log.info("%s", redeliver(folder, uri))
        except (Failure, UserError) as problem:
            if len(found) == 1:
                raise
            log.error("%s", problem)
            problems.append(problem)
    return FAILED if problems else DONE


if __name__ == "__main__":
    sys.exit(main())
