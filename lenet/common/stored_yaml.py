"""Reading YAML that was stored by a run, and may have been written by anyone: plain values, and nothing that acts.

The document is read event by event, without recursion, so its depth is known before anything is built; aliases, with
which a few lines grow to gigabytes, and tags, which name types, are refused where they stand.
"""

from typing import Any

import yaml

from lenet.common.tables import cut
from lenet.errors import UserError

MAX_BYTES = 2**20
MAX_DEPTH = 20
LONGEST_NUMBER = 400
"""Characters; PyYAML takes time that grows with the square of a number's length."""
SHOWN = 60

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")}
_TEXT = "tag:yaml.org,2002:str"


class _RefusedError(Exception):
    """The document is not one that a run stores; the message says why."""


def read_yaml(text: str, source: str) -> dict[str, Any] | list[Any]:
    """Return the mapping or list that a YAML document from a store holds: text, numbers, booleans, null, lists, maps.

    Raises one `UserError` that names `source` for everything else: more than 1 MiB or 20 levels, anchors and aliases,
    tags, keys that are no text or occur twice, several documents, and what is no YAML. Interpolations (`${…}`) are
    text like any other.
    """
    try:
        if len(text) > MAX_BYTES or len(text.encode()) > MAX_BYTES:
            raise _RefusedError(f"it has {len(text):,} characters")
        found = _Reader(text).document()
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        reason = f"it is no YAML ({cut(str(error.problem), SHOWN)}{line})"
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:
        reason = f"it is no YAML ({cut(' '.join(str(error).split()), 2 * SHOWN)})"
    except _RefusedError as error:
        reason = str(error)
    else:
        return found
    raise UserError(
        f"{source} is not what a run stores: {reason}. Accepted: one YAML mapping or list of at most {MAX_BYTES:,} "
        f"bytes and {MAX_DEPTH} levels, of plain text, numbers, lists and mappings without anchors and tags."
    )


class _Reader:
    """Builds what a document holds from its events, with a stack of its own."""

    def __init__(self, text: str) -> None:
        self._loader = _LOADER(text)

    def document(self) -> dict[str, Any] | list[Any]:
        """Return what the only document holds."""
        root: list[Any] = []
        stack: list[Any] = [root]
        keys: list[str | None] = [None]  # of each open mapping, the key whose value comes next
        documents = 0
        while self._loader.check_event():
            event = self._loader.get_event()
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1 or event.tags or event.version:
                    raise _RefusedError("it holds several documents, or directives")
            elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise _RefusedError(f"it has an anchor or alias in line {event.start_mark.line + 1}")
            elif isinstance(event, yaml.CollectionEndEvent):
                stack.pop()
                keys.pop()
            elif isinstance(event, yaml.NodeEvent):
                value = self._value(event)
                if isinstance(stack[-1], list):
                    stack[-1].append(value)
                elif keys[-1] is None:
                    keys[-1] = _key(value, stack[-1], event)
                else:
                    stack[-1][keys[-1]] = value
                    keys[-1] = None
                if isinstance(event, yaml.CollectionStartEvent):
                    stack.append(value)
                    keys.append(None)
                    if len(stack) > MAX_DEPTH + 1:
                        raise _RefusedError(f"it is nested more than {MAX_DEPTH} deep")
        if not root or not isinstance(root[0], dict | list):
            raise _RefusedError(f"it holds {cut(repr(root[0]), SHOWN) if root else 'nothing'}")
        return root[0]

    def _value(self, event: Any) -> Any:
        line = event.start_mark.line + 1
        if event.tag is not None:
            raise _RefusedError(f"it has the tag {cut(repr(event.tag), SHOWN)} in line {line}")
        if isinstance(event, yaml.CollectionStartEvent):
            return {} if isinstance(event, yaml.MappingStartEvent) else []
        tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag not in _PLAIN or (tag != _TEXT and len(event.value) > LONGEST_NUMBER):
            raise _RefusedError(f"it has the value {cut(event.value, SHOWN)!r} in line {line}")
        return self._loader.construct_object(yaml.ScalarNode(tag, event.value))


def _key(value: Any, mapping: dict[str, Any], event: Any) -> str:
    if not isinstance(value, str) or value in mapping:
        what = "twice the key" if isinstance(value, str) else "the key"
        raise _RefusedError(f"it has {what} {cut(repr(value), SHOWN)} in line {event.start_mark.line + 1}")
    return value
