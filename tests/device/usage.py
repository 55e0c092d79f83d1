"""What lenet uses of the array module, read from its source."""

import ast
from functools import cache
from pathlib import Path

import lenet


@cache
def used() -> frozenset[str]:
    """Return each name that is looked up in `xp`."""
    found = set()
    for path in Path(lenet.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).rpartition(".")[2] in ("xp", "_xp"):
                found.add(node.attr)
    return frozenset(found)
