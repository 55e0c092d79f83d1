"""The callbacks that a configuration names, and whether a run calls all that looks as if it would."""

from collections.abc import Collection, Mapping
from typing import Any

from lenet.callbacks import NAME, Callback
from lenet.configuration.construct import make
from lenet.errors import UserError, did_you_mean, part_called

PREFIX = "on_"
HOOKS = sorted(name for name in vars(Callback) if name.startswith(PREFIX))
"""What a run calls of a callback."""


def callbacks(node: Any, allowed: Collection[str] | None) -> dict[str, Callback]:
    """Return the callbacks by name; raise `UserError` for what is wrong with them, as `build` does."""
    if not isinstance(node, Mapping):
        raise UserError(f"`callbacks` is {node!r}; it needs a mapping of names to mappings with `_target_`.")
    for name in node:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise UserError(f"`callbacks` has the name {name!r}; accepted: letters, digits and _, no digit first.")
    return {name: _callback(part, f"callbacks.{name}", allowed) for name, part in node.items()}


def _callback(node: Any, key: str, allowed: Collection[str] | None) -> Callback:
    callback = make(node, key, Callback, allowed)
    for name in dir(callback):
        if name.startswith(PREFIX) and name not in HOOKS:  # misspelt, it would never be called
            raise UserError(
                f"{part_called(key, callback)} has `{name}`, which no run calls.{did_you_mean(name, HOOKS)} "
                f"Accepted of names that begin with `{PREFIX}`: {', '.join(HOOKS)}."
            )
    return callback
