"""Completion in a shell, by argcomplete: the shell starts the command anew, and says in variables what stands there."""

import argparse
import os
from collections.abc import Callable, Collection, Iterable

ASKED = "_ARGCOMPLETE"
"""The variable by which a shell asks: the number of words by which the command is called, with that of the command."""
RUNS = ("last", "best:last", "tracking.uri=")
"""What is suggested where a run may be named: what can be told without a look into the store, which takes seconds."""
Completer = Callable[..., Iterable[str]]
"""Returns what may stand for a value, of which argcomplete says what is there already."""


def asked() -> bool:
    """Say whether this process was started only to tell a shell what may come next."""
    return ASKED in os.environ


def offer(parser: argparse.ArgumentParser) -> None:
    """Tell a shell that asks what may come next, and end the process; without one, do nothing.

    An action's attribute `completer` says what its values may be; without one, names of files are offered.
    """
    if asked():
        import argcomplete

        argcomplete.autocomplete(parser, always_complete_options=False)


def completer(metavar: str) -> Completer:
    """Return what completes a value that help calls `metavar`: each of the words in it, as in `RUN|IMAGE|key=value`."""
    from argcomplete.completers import DirectoriesCompleter, FilesCompleter

    files, folders = FilesCompleter(), DirectoriesCompleter()
    known: dict[str, Completer] = {"RUN": lambda **_: RUNS, "IMAGE": files, "FILE.png": files, "FOLDER": folders}
    meant = [known[word] for word in metavar.split("|") if word in known]
    return lambda **context: [found for each in meant for found in each(**context)]


def command_among(names: Collection[str]) -> str | None:
    """Return which of a command's subcommands stands there already (None: none yet), and leave its words to it."""
    from argcomplete.lexers import split_line

    words = split_line(os.environ["COMP_LINE"], int(os.environ["COMP_POINT"]))[3]
    if len(words) < 2 or words[1] not in names:
        return None
    os.environ[ASKED] = "2"  # the subcommand's own words follow two, `lenet run`
    return words[1]
