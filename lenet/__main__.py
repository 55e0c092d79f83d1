"""`lenet COMMAND …`: all commands under one name. Nothing is imported but the module of the one that is called."""

import importlib
import os
import sys
from collections.abc import Sequence

from lenet.command_line import completion
from lenet.command_line.arguments import Parser
from lenet.command_line.command import run_command
from lenet.errors import UserError, did_you_mean

COMMANDS = {
    "run": "train: one run, or with -m a sweep",
    "resume": "go on with an interrupted run, or extend a finished one",
    "reproduce": "run a finished run again, and compare every bit",
    "compare": "show runs side by side: what tells them apart, what they reached",
    "evaluate": "score a trained network: by class, with calibration",
    "predict": "label image files with a trained network",
    "check": "check a network's layers: gradients, shapes, time, operations",
    "runs": "list what the store holds: experiments, sweeps, runs",
    "disk": "show what runs take on disk",
    "deliver": "deliver what was recorded while the store did not answer",
}
"""Modules of `lenet` that have a `main`, each with what it does."""
DESCRIPTION = """\
Train a LeNet-5 in plain array code, record it in MLflow, and work with what was
recorded. The commands:

"""
EPILOG = """\
`lenet COMMAND --help` tells more of each. To have a shell complete commands,
options, keys and files:
  bash: eval "$(register-python-argcomplete lenet)"
  zsh:  the same, after autoload -Uz compinit && compinit
  fish: register-python-argcomplete --shell fish lenet | source"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    name = completion.command_among(COMMANDS) if completion.asked() else next(iter(given), None)
    if name not in COMMANDS:
        return run_command(lambda: _main(given))
    # As with `python -m`, which the console command is short for: modules of the user's own lie in this folder.
    if not sys.flags.safe_path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    code: int = importlib.import_module(f"lenet.{name}").main(given[1:])
    return code


def _main(given: Sequence[str]) -> int:
    from importlib.metadata import version  # takes as long to import as all else here

    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {line}" for name, line in COMMANDS.items())
    parser = Parser("python -m lenet", DESCRIPTION + lines, EPILOG)
    command = parser.add_argument("command", nargs="?", metavar="COMMAND …", help="one of these, with what it takes")
    command.completer = lambda **_: COMMANDS  # type: ignore[attr-defined]
    parser.add_argument("--version", action="version", version=f"lenet {version('lenet')}")
    accepted = f"Accepted: {', '.join(COMMANDS)}; `--help` tells what they do."
    if given and not given[0].startswith("-"):
        raise UserError(f"there is no command `{given[0]}`.{did_you_mean(given[0], COMMANDS)} {accepted}")
    parser.read(given)
    raise UserError(f"a command is missing. {accepted}")


if __name__ == "__main__":
    sys.exit(main())
