"""What may come next on a command line of overrides: what Hydra suggests, from our folders and the user's own."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader

from lenet.command_line import completion
from lenet.configuration.composition import compose_one, parse
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
    """Return the overrides that begin with `prefix`, as far as those before it can be composed.

    Of a key that takes a few words alone, these; of another, Hydra knows the value that it has. What is swept over
    composes to many configurations, and is left out: the defaults stand for it.
    """
    key, separator, _ = prefix.partition("=")
    try:
        with composing(config_dir) as loader:
            before = [text for text in before if not any(o.is_sweep_override() for o in parse([text], loader))]
            if separator and "." in key and (accepted := _words(key, before, loader)):
                return [each for each in (f"{key}={word}" for word in accepted) if each.startswith(prefix)]
            found = BashCompletion(loader)._query(CONFIG_NAME, " ".join([*before, prefix]))
    except UserError:
        return []
    return [f"{each}/" if Path(each.partition("=")[2] or " ").is_dir() else each for each in found]


def _words(key: str, before: Sequence[str], loader: ConfigLoader) -> tuple[str, ...]:
    from lenet.configuration.words import words  # the parts it looks at take a third of a second to import

    return words(key, compose_one(before, loader))
