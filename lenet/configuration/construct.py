"""Making a part from the node of a configuration that describes it, and saying what is wrong with the node."""

import inspect
import logging
import re
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from hydra.utils import get_object
from pydantic import ValidationError

from lenet.common.raised import raised
from lenet.configuration import trust
from lenet.errors import Failure, UserError, did_you_mean

Part = TypeVar("Part")
logging.getLogger("hydra.utils").addHandler(logging.NullHandler())  # what it logs, a `UserError` says
VAR_KEYWORD = inspect.Parameter.VAR_KEYWORD


def make(node: Any, key: str, kind: type[Part], allowed: Collection[str] | None = None) -> Part:
    """Return the object that `node`, a mapping with `_target_` and arguments, describes; it must be a `kind`.

    Arguments are handed over as they are: what they describe in turn is not made. Where `allowed` is given, `node`
    comes from a store, and only what `trust.resolve` finds is called. Raises `UserError` that names the key.
    """
    if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
        raise UserError(f"`{key}` is {node!r}; it needs a mapping with `_target_`, the import path of {_one(kind)}.")
    path = node["_target_"]
    target = _resolve(path, key, kind) if allowed is None else trust.resolve(path, key, kind, allowed)
    try:
        part = call(target, {name: value for name, value in node.items() if name != "_target_"}, key)
    except (UserError, Failure):
        raise
    except Exception as error:  # the user's own class may raise anything
        raise UserError(f"`{key}` ({path}) cannot be made: it raises {raised(error, target)}.") from error
    if not isinstance(part, kind):
        raise UserError(f"`{key}._target_` is {node['_target_']!r}, which makes no {kind.__name__} but {part!r}.")
    for name in inspect.signature(kind).parameters:  # which its constructor keeps under their names
        if not hasattr(part, name):
            raise UserError(
                f"`{key}` ({path}) has no `{name}`; accepted: a class whose constructor calls super().__init__()."
            )
    return part


def call(function: Callable[..., Part], arguments: Mapping[str, Any], key: str) -> Part:
    """Call `function`, and turn what it finds wrong with its arguments into a `UserError` that names the key."""
    if not isinstance(arguments, Mapping):
        raise UserError(f"`{key}` is {arguments!r}; it needs a mapping of keys to values.")
    try:
        parameters = inspect.signature(function).parameters
    except ValueError as error:
        raise UserError(f"`{key}`: {function!r} does not say what arguments it takes.") from error
    accepted = [name for name, parameter in parameters.items() if parameter.kind is not VAR_KEYWORD]
    for name in arguments:
        if name not in accepted and len(accepted) == len(parameters):
            raise UserError(
                f"Unknown key `{_join(key, name)}`.{did_you_mean(name, accepted)} "
                f"Accepted: {', '.join(accepted) or 'none'}."
            )
    try:
        return function(**arguments)
    except ValidationError as error:
        raise UserError(_explain(error, key, [name for name in arguments if name not in accepted])) from error
    except (TypeError, ValueError) as error:
        raise UserError(f"`{key}`: {error}.") from error


def _resolve(path: str, key: str, kind: type) -> Callable[..., Any]:
    try:
        target = get_object(path)
    except Exception as error:  # importing the user's own module may raise anything
        raise UserError(
            f"`{key}._target_` is {path!r}, which cannot be imported: {_why(path, error)}.{_nearest(path)} "
            f"Accepted: the import path of {_one(kind)}."
        ) from error
    if not callable(target):
        raise UserError(f"`{key}._target_` is {path!r}, which is not a class or function but {target!r}.")
    if isinstance(target, type) and not issubclass(target, kind):
        raise UserError(f"`{key}._target_` is {path!r}, which is no {kind.__name__}.")
    if lacking := sorted(getattr(target, "__abstractmethods__", ())):
        raise UserError(
            f"`{key}._target_` is {path!r}, which lacks {', '.join(lacking)}; accepted: a class that has it."
        )
    return target  # type: ignore[no-any-return]


def _why(path: str, error: Exception) -> str:
    """Say why an import path leads to nothing: a module or a name is not there, or importing it raises something."""
    cause = error.__cause__
    if isinstance(cause, ModuleNotFoundError) and cause.name and f"{path}.".startswith(f"{cause.name}."):
        home, _, name = cause.name.rpartition(".")
        if home in sys.modules:
            return f"there is no `{name}` in `{home}`"
        return f"there is no module `{cause.name}` in this folder or among what is installed"
    if isinstance(cause, AttributeError) and cause.name and cause.name in path:
        return f"there is no `{cause.name}` in `{path.partition(f'.{cause.name}')[0]}`"
    if cause:
        return f"importing it raises {raised(cause)}"
    return "a part of it is empty"


def _one(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def _nearest(path: str) -> str:
    """Suggest the name in an already imported module that is nearest to the last part of `path`."""
    home, _, name = path.rpartition(".")
    return did_you_mean(name, dir(sys.modules[home])) if home in sys.modules else ""


def _explain(error: ValidationError, key: str, others: Collection[str] = ()) -> str:
    """Say for every argument that is wrong what was found and what is accepted.

    `others` are arguments of any name, one of which may be a misspelt one that is missing.
    """
    problems: dict[str, tuple[Any, list[str]]] = {}
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        message = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else problem["msg"]
        message = message[0].lower() + message[1:].rstrip(".")
        if problem["type"] in ("too_short", "string_too_short"):
            least, what = problem["ctx"]["min_length"], "character" if problem["type"] == "string_too_short" else "item"
            message = f"it needs at least {least} {what}{'s' if least > 1 else ''}"
        if problem["type"] == "literal_error":
            options = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
            message += f".{did_you_mean(str(problem['input']), options)}".removesuffix(".")
        problems.setdefault(name, (problem["input"], []))[1].append(message)
    lines = []
    for name, (found, messages) in problems.items():
        if all("missing" in message for message in messages):
            meant = [other for other in others if did_you_mean(other, [name])]
            instead = f": `{_join(key, meant[0])}` is given.{did_you_mean(meant[0], [name])}" if meant else "."
            lines.append(f"`{_join(key, name)}` is missing{instead}")
        else:
            what = " or ".join(dict.fromkeys(messages))
            lines.append(f"`{_join(key, name)}` is {found!r}: {what}{'' if what.endswith('?') else '.'}")
    return "\n".join(lines)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key and name else key or name
