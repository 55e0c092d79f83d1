"""`python -m lenet.deliver [FOLDER …] [tracking.uri=…]`: delivers what runs recorded while no store took it."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lenet.command_line.arguments import Parser
from lenet.command_line.command import DONE, run_command
from lenet.errors import Failure, UserError, did_you_mean

DESCRIPTION = """\
Deliver what runs have recorded while their store did not answer, and remove it
from here. It may be broken off and given again."""
EPILOG = """\
FOLDER is one that a run has named; without one, all below mlruns/undelivered
are meant.
Key: tracking.uri=ADDRESS, with the password that is not kept here, or of
another place."""
KEY = "tracking.uri"

log = logging.getLogger("lenet")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    parser = Parser("python -m lenet.deliver", DESCRIPTION, EPILOG)
    parser.add_argument("words", nargs="*", metavar="FOLDER|key=value", help="what to deliver")
    named, uri = _read(parser.read(arguments).words)
    from lenet.tracking.journal import PLACE, journals

    folders = [Path(name) for name in named] or journals()
    if folders:
        _deliver(folders, uri, passing=not named)
    else:
        log.info("nothing is undelivered in %s", PLACE.absolute())
    return DONE


def _read(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Tell the folders and the store's address in a command line."""
    folders, uri = [], None
    for word in words:
        key, separator, value = word.partition("=")
        if key == KEY and separator:
            uri = value
        elif separator and not Path(word).exists():
            raise UserError(f"unknown key `{key}`.{did_you_mean(key, [KEY])} Accepted: {KEY}, and folders.")
        else:
            folders.append(word)
    return folders, uri


def _deliver(folders: Sequence[Path], given: str | None, passing: bool) -> None:
    """Deliver each folder, `passing` those of runs at work; one that cannot be keeps no other from being."""
    from lenet.tracking.address import tracking_uri
    from lenet.tracking.importing import without_collections

    uri = tracking_uri(given)
    with without_collections():
        from lenet.tracking.opening import reach_store
        from lenet.tracking.undelivered import StillWritten, deliver_folder
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder. Accepted: one that a run has named as kept.")
    client = reach_store(uri)
    faults: list[UserError | Failure] = []
    for folder in folders:
        try:
            log.info("delivered %s", deliver_folder(client, uri, folder, elsewhere=given is not None))
        except (UserError, Failure) as fault:
            if passing and isinstance(fault, StillWritten):
                log.info("%s", fault)
            else:
                faults.append(fault)
    if faults:
        wrong = any(isinstance(fault, UserError) for fault in faults)
        raise (UserError if wrong else Failure)("\n".join(map(str, faults)))


if __name__ == "__main__":
    sys.exit(main())
