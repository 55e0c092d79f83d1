"""Reading YAML and JSON documents that are not trusted: plain values alone, of bounded size, depth and kind."""

import json
from typing import Any

import yaml

from lenet.errors import UserError

MOST_CHARACTERS = 1 << 17
"""Some forty times a configuration of this project; PyYAML takes seconds for more."""
DEEPEST = 40


def read_yaml(text: str, source: str) -> Any:
    """Return what a YAML document holds: mappings with texts as keys, lists, texts, numbers, booleans, nulls.

    Raises one `UserError`, naming `source`, for anything else: no YAML, other tags, anchors and aliases (a few lines of
    which can stand for gigabytes), a key that is there twice, interpolations (what was recorded is resolved), or a
    document that is too long or too deep.
    """
    _check_length(text, source)
    try:
        found = yaml.load(text, _PlainLoader)  # which makes plain values alone
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        raise UserError(f"{source} cannot be read: {_first_line(error)}.") from None
    _check(found, source, resolved=True)
    return found


def read_json(text: str, source: str, resolved: bool = False) -> dict[str, Any]:
    """Return the mapping that a JSON document holds; raise one `UserError`, naming `source`, for anything else.

    If it is to be `resolved`, it has no interpolations either.
    """
    _check_length(text, source)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} cannot be read: it is no JSON: {_first_line(error)}.") from None
    if not isinstance(found, dict):
        raise UserError(f"{source} cannot be read: it holds no JSON object.")
    _check(found, source, resolved)
    return found


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader without aliases, dates, and mappings that have a key twice or one that is no text."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        anchor = getattr(self.peek_event(), "anchor", None)  # type: ignore[no-untyped-call]
        if anchor:
            raise yaml.YAMLError(f"it has an anchor or an alias ({anchor})")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in keys:
                problem = "is there twice" if isinstance(key, str) else "is no text"
                raise yaml.YAMLError(f"the key {key!r} {problem} (line {key_node.start_mark.line + 1})")
            keys.add(key)
        return super().construct_mapping(node, deep)


_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")
_PlainLoader.yaml_constructors = {
    **{
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in _PLAIN
    }
}


def _check_length(text: str, source: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise UserError(f"{source} cannot be read: it has more than {MOST_CHARACTERS:,} characters.")


def _check(node: Any, source: str, resolved: bool, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise UserError(f"{source} cannot be read: it is nested more than {DEEPEST} deep.")
    if resolved and isinstance(node, str) and "${" in node:
        raise UserError(f"{source} cannot be read: {node[:80]!r} is not resolved, as what a run recorded is.")
    values = [*node, *node.values()] if isinstance(node, dict) else node if isinstance(node, list) else []
    for value in values:
        _check(value, source, resolved, depth + 1)


def _first_line(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error) or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    line = " ".join(str(problem).split())[:200]
    return f"{line} (line {mark.line + 1})" if mark else line
