"""What a configuration may name that comes from a store: lenet's own, and what modules define that are allowed.

What counts is where it is defined, not how its name is spelled: `lenet.run.sys` is no module of ours. Nothing is
imported but lenet's own modules and those that are allowed, since importing a module runs it.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from types import FunctionType
from typing import Any

from lenet.errors import UserError

OWN = "lenet"
_PATH = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+", re.ASCII)
_SPECIAL = re.compile(r"_[a-z]+_")
"""Keys that mean something to Hydra: `_target_`, `_partial_`, …."""


def trusted(path: str, key: str, kind: type, allowed: Collection[str]) -> Callable[..., Any]:
    """Return the concrete `kind` at an import path, or the function that says it returns one.

    It must be at home in a module that is trusted. Raises `UserError`, naming the configuration's `key`, for anything
    else.
    """
    found = _find(path, allowed)
    if not isinstance(found, type | FunctionType) or not _is_at_home(found, allowed):
        raise UserError(
            f"`{key}._target_` is {path[:200]!r}, which lenet does not define, and a stored run may name nothing else. "
            f"Accepted: a {kind.__name__} of lenet, or of a module that you allow: --allow MODULE."
        )
    made = found if isinstance(found, type) else inspect.signature(found).return_annotation
    if not isinstance(made, type) or not issubclass(made, kind) or found is kind or inspect.isabstract(found):
        raise UserError(f"`{key}._target_` is {path!r}, which is no {kind.__name__}.")
    return found


def check_plain(arguments: Mapping[str, Any], key: str) -> None:
    """Raise `UserError` where a part's arguments hold what describes another part, or a key of Hydra's."""
    for name, value in arguments.items():
        _check_plain(value, f"{key}.{name}")
        if _SPECIAL.fullmatch(name):
            raise UserError(f"`{key}.{name}` has no place in a stored configuration.")


def _check_plain(value: Any, key: str) -> None:
    if isinstance(value, Mapping):
        check_plain(value, key)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, each in enumerate(value):
            _check_plain(each, f"{key}[{index}]")


def _find(path: str, allowed: Collection[str]) -> Any:
    """Return what stands at an import path directly in a module that is trusted, else None."""
    if not _PATH.fullmatch(path):
        return None
    home, _, name = path.rpartition(".")
    if not _is_trusted(home, allowed):
        return None
    try:
        module = importlib.import_module(home)
    except ImportError as error:
        if error.name and _is_trusted(error.name, allowed):
            return None  # there is no such module
        raise UserError(f"`{path}` cannot be imported: {error}.") from error
    return vars(module).get(name)


def _is_at_home(found: type | FunctionType, allowed: Collection[str]) -> bool:
    home = found.__module__
    return _is_trusted(home, allowed) and vars(sys.modules.get(home, object)).get(found.__qualname__) is found


def _is_trusted(module: str, allowed: Collection[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in (OWN, *allowed))
