"""Command lines whose mistakes are said as all others are: one message, with what was perhaps meant."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from lenet.command_line import completion
from lenet.command_line.command import as_called
from lenet.errors import UserError, did_you_mean


class Parser(argparse.ArgumentParser):
    """An `argparse` parser of options among names in any order, which raises `UserError` for what it cannot take.

    `prog` is how the command is called as a module; its help says how it was.
    """

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        form = argparse.RawDescriptionHelpFormatter
        prog, description, epilog = map(as_called, (prog, description, epilog))
        super().__init__(prog, description=description, epilog=epilog, formatter_class=form, allow_abbrev=False)

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Return what the command line says."""
        if completion.asked():
            for action in self._actions:
                if not hasattr(action, "completer"):
                    action.completer = completion.completer(str(action.metavar))  # type: ignore[attr-defined]
            completion.offer(self)
        options, unknown = self.parse_known_intermixed_args(list(arguments))
        if unknown:
            accepted = [name for name in self._option_string_actions if name.startswith("--")]
            name = unknown[0].partition("=")[0]
            raise UserError(f"unknown option `{name}`.{did_you_mean(name, accepted)} Accepted: {', '.join(accepted)}.")
        return options

    def add_choice(self, name: str, accepted: Sequence[str], **keywords: Any) -> None:
        """Add an option that takes one of a few words."""

        def word(text: str) -> str:
            if text not in accepted:
                hint = did_you_mean(text, accepted)
                raise UserError(f"{name}: `{text}` is not an option.{hint} Accepted: {', '.join(accepted)}.")
            return text

        action = self.add_argument(name, type=word, metavar="|".join(accepted), **keywords)
        action.completer = lambda **_: accepted  # type: ignore[attr-defined]

    def add_allow(self) -> None:
        """Add the option that allows a stored run to name classes of a module that is not lenet's."""
        self.add_argument(
            "--allow",
            action="append",
            default=[],
            metavar="MODULE",
            help="a module of yours whose classes the run may use (may be given again)",
        )

    def error(self, message: str) -> NoReturn:
        """Raise `UserError` with the reason that `argparse` gives."""
        raise UserError(f"{message.removeprefix('argument ')}. `--help` lists all options.")
