"""What may come next on a command line of overrides: what Hydra suggests, from our folders and the user's own."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra._internal.utils import get_args_parser

from lenet.command_line import completion
from lenet.configuration.config import REFUSED
from lenet.configuration.diagnosis import CONFIG_NAME
from lenet.configuration.hydra_setup import composing
from lenet.errors import UserError

HIDDEN = (*REFUSED, "shell_completion")
"""Options of Hydra's that are not suggested: it would complete its own way."""


def suggest() -> None:
    """Tell a shell that asks what may come next of what `config.read` takes, and end the process."""
    options = get_args_parser()
    for action in options._actions:
        if action.dest in HIDDEN:
            action.help = argparse.SUPPRESS
        if action.dest == "overrides":
            action.nargs = argparse.REMAINDER  # else nothing would be suggested where an option stands among them
            action.completer = lambda prefix, parsed_args, **_: _next(prefix, parsed_args)  # type: ignore[attr-defined]
    completion.offer(options)


def _next(prefix: str, before: argparse.Namespace) -> list[str]:
    parser = get_args_parser()
    if prefix.startswith("-"):
        return [name for name, action in parser._option_string_actions.items() if action.dest not in HIDDEN]
    given, _ = parser.parse_known_intermixed_args(before.overrides or [])
    return overrides(prefix, given.overrides, given.config_dir or before.config_dir)


def overrides(prefix: str, before: Sequence[str], config_dir: str | None) -> list[str]:
    """Return the overrides that begin with `prefix`, as far as those before it can be composed."""
    try:
        with composing(config_dir) as loader:
            found = BashCompletion(loader)._query(CONFIG_NAME, " ".join([*before, prefix]))
    except UserError:
        return []
    return [f"{each}/" if Path(each.partition("=")[2] or " ").is_dir() else each for each in found]
