"""The words that a key takes, where the types it is checked with name them all."""

import inspect
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from lenet.configuration import trust
from lenet.configuration.build import SETTINGS
from lenet.errors import UserError


def words(key: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the words that a key such as `trainer.figures` takes; none where others are accepted too, or not known.

    `config` is a composed configuration, which names the class of an optimizer, a schedule or data. Of modules that
    are not lenet's nothing is known here, since to look they would have to be imported. That a key may be left empty
    is not a word.
    """
    home, _, name = key.partition(".")
    try:
        target = SETTINGS.get(home) or trust.resolve(config[home]["_target_"], home, object, ())
        annotation = inspect.signature(target).parameters[name].annotation
    except (UserError, KeyError, TypeError):  # not lenet's; no such key; no part of its own, as the seed
        return ()
    return _words(annotation) or ()


def _words(annotation: Any) -> tuple[str, ...] | None:
    """Return the words of a type; None for a type that has others too."""
    if annotation is NoneType:
        return ()
    if annotation is bool:
        return "true", "false"
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    if get_origin(annotation) in (Union, UnionType):
        parts = [_words(part) for part in get_args(annotation)]
        return None if None in parts else tuple(word for part in parts for word in part or ())
    return None
