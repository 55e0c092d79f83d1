"""What a configuration that was stored may say: a run, a checkpoint or a file of others may have been made to do harm.

Whatever it names is found in modules that are trusted beforehand: lenet's own, which are imported by now, and those
that the user allows. Nothing else is imported to look into it, since importing a module runs it.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Collection, Mapping
from types import FunctionType
from typing import Any, get_type_hints

from lenet.common.flatten import flatten
from lenet.common.tables import cut
from lenet.errors import UserError

OWN = "lenet"
MAX_DEPTH = 20
MAX_BITS = 1024
"""Longer integers are not written by any run, and cannot even be printed."""
SHOWN = 100
"""Characters of what was found that a message repeats."""

_PATH = re.compile(r"(?:(?!__)[A-Za-z_][A-Za-z0-9_]*\.)+(?!__)[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def vet(config: object, source: str, places: "re.Pattern[str]") -> None:
    """Raise `UserError` unless `config` is what runs store: plain, resolved values, and `_target_` in its `places`.

    `places` matches the dotted keys at which a part may be named. Nothing else that Hydra reads instructions from may
    occur anywhere, nor interpolations; whether a name is trusted is for `resolve` to say.
    """
    if not isinstance(config, Mapping):
        raise UserError(f"{source} is {cut(repr(config), SHOWN)}; accepted: a mapping of keys to values.")
    waiting: list[tuple[str, object, int]] = [("", config, 0)]
    while waiting:
        key, value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _refused(source, key, f"is nested more than {MAX_DEPTH} deep")
        if isinstance(value, Mapping):
            for name, inner in value.items():
                _vet_name(source, key, name)
                whole = f"{key}.{name}" if key else name
                if name.startswith("_") and name.endswith("_") and not places.fullmatch(whole):
                    raise _refused(source, whole, "is an instruction to build something, where no part belongs")
                waiting.append((whole, inner, depth + 1))
        elif isinstance(value, list):
            waiting += [(f"{key}[{index}]", inner, depth + 1) for index, inner in enumerate(value)]
        elif isinstance(value, str):
            if "${" in value:
                raise _refused(source, key, f"is {cut(repr(value), SHOWN)}, which is not resolved")
        elif isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise _refused(source, key, f"is an integer of {value.bit_length()} bits")
        elif not isinstance(value, int | float | None):
            raise _refused(source, key, f"is of type {type(value).__name__}")


def other_modules(config: Mapping[str, Any]) -> list[str]:
    """Return the modules outside lenet from which a configuration takes its parts, as they are allowed by `--allow`."""
    targets = [str(value) for key, value in flatten(config).items() if key.rpartition(".")[2] == "_target_"]
    return list(dict.fromkeys(target.partition(".")[0] for target in targets if not is_own(target)))


def resolve(path: object, key: str, kind: type, allowed: Collection[str]) -> Callable[..., Any]:
    """Return the class that `path` names, or the function that makes such a part, for the place `key`.

    It must be defined at the top of a module of lenet's or of one of the `allowed` modules (or below one), be found
    there under its own name, and be a subclass of `kind` that can be built, or a function that says that it returns
    one. Raises `UserError` for all else; no module but an allowed one has been imported then.
    """
    refusal = f"`{key}._target_` is {cut(repr(path), SHOWN)}, "
    accepted = (
        f"Accepted from what is stored: the import path of a {kind.__name__} that {OWN} itself defines, or one that a "
        'module of your own defines, with `--allow MODULE` on the command line or `allow=["MODULE"]` in Python.'
    )
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise UserError(f"{refusal}which is no import path. {accepted}")
    home, _, name = path.rpartition(".")
    if not _trusted(home, allowed):
        raise UserError(f"{refusal}which is not in a module of {OWN}'s, nor in one that was allowed. {accepted}")
    found: object = vars(_module(home, refusal)).get(name) if home in sys.modules or not is_own(home) else None
    if not isinstance(found, type | FunctionType):
        raise UserError(f"{refusal}which is no class. {accepted}")
    defined: object = vars(sys.modules.get(found.__module__, object)).get(found.__qualname__)
    if not _trusted(found.__module__, allowed) or defined is not found:
        raise UserError(f"{refusal}which comes from `{found.__module__}`. {accepted}")
    if not _makes(found, kind):
        raise UserError(f"{refusal}which is no {kind.__name__} that can be built. {accepted}")
    return found


def _vet_name(source: str, key: str, name: object) -> None:
    if not isinstance(name, str) or not name.isprintable() or len(name) > SHOWN or "${" in name:
        where = f"`{key}`" if key else "the top"
        raise UserError(
            f"{source}: found the key {cut(repr(name), SHOWN)} at {where}; accepted: printable text of at most "
            f"{SHOWN} characters."
        )


def _refused(source: str, key: str, found: str) -> UserError:
    return UserError(
        f"{source}: `{cut(key, SHOWN)}` {found}; accepted: what a run stores, which is plain text, numbers, lists and "
        "mappings, with `_target_` only where a layer, a loss, an optimizer, a schedule, data or a callback are named."
    )


def _trusted(module: object, allowed: Collection[str]) -> bool:
    return isinstance(module, str) and (
        is_own(module) or any(module == name or module.startswith(f"{name}.") for name in allowed)
    )


def is_own(module: str) -> bool:
    """Say whether a module is one of lenet's."""
    return module == OWN or module.startswith(f"{OWN}.")


def _module(name: str, refusal: str) -> Any:
    """Return a module that is trusted; all of lenet's that define parts are imported already."""
    if name in sys.modules:
        return sys.modules[name]
    try:
        return importlib.import_module(name)
    except Exception as error:  # importing the user's own module may raise anything
        raise UserError(
            f"{refusal}and the module `{name}`, which was allowed, cannot be imported ({error}). "
            "Accepted: a module that Python finds on its path."
        ) from error


def _makes(found: type | FunctionType, kind: type) -> bool:
    if isinstance(found, type):
        return issubclass(found, kind) and found is not kind and not inspect.isabstract(found)
    try:
        returned = get_type_hints(found).get("return")
    except Exception:  # annotations of the user's own may be anything
        return False
    return isinstance(returned, type) and issubclass(returned, kind)
