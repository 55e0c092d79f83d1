"""What lenet uses of the array module and of arrays, read from its source: also what no test runs."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

import lenet

ROOT = Path(lenet.__file__).parent
ON_ARRAYS = (
    *("arrays/draws.py", "arrays/memory.py", "data/augmentation.py", "data/loader.py", "layers", "losses.py"),
    *("network.py", "optimizers", "training/curvature.py", "training/engine.py"),
)
"""The code that works on arrays of either backend, and what it does on the host besides."""
OF_ARRAYS = {name for name in dir(np.ndarray) if not name.startswith("_")}


@cache
def used() -> frozenset[str]:
    """Return each name that is looked up in `xp`."""
    return frozenset(node.attr for node in _nodes(ROOT) if isinstance(node, ast.Attribute) and _is_xp(node.value))


@cache
def used_of_arrays() -> frozenset[str]:
    """Return each method and attribute of arrays that code on arrays names, but for those of modules."""
    found = [node for part in ON_ARRAYS for node in _nodes(ROOT / part) if isinstance(node, ast.Attribute)]
    return frozenset(node.attr for node in found if not _is_module(node.value)) & OF_ARRAYS


@cache
def keywords() -> frozenset[tuple[str, str]]:
    """Return each function of `xp` and each method of arrays with each keyword that it is given."""
    calls = [node for part in ON_ARRAYS for node in _nodes(ROOT / part) if isinstance(node, ast.Call)]
    named = [(call.func, call) for call in calls if isinstance(call.func, ast.Attribute)]
    return frozenset(
        (function.attr, keyword.arg)
        for function, call in named
        if _is_xp(function.value) or function.attr in OF_ARRAYS
        for keyword in call.keywords
        if keyword.arg
    )


def other_names_of_the_module() -> list[str]:
    """Return where `xp` is given another name, under which the search above would not see it."""
    found = []
    for node in _nodes(ROOT):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
            pairs = zip(target.elts, value.elts, strict=False) if several else [(target, value)]
            found += [ast.unparse(node) for to, what in pairs if _is_xp(what) and not _is_xp(to)]
    return found


def _is_module(node: ast.expr) -> bool:
    return _is_xp(node) or ast.unparse(node) in ("math", "np")


def _is_xp(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).rpartition(".")[2] in ("xp", "_xp")


def _nodes(path: Path) -> Iterator[ast.AST]:
    for file in path.rglob("*.py") if path.is_dir() else [path]:
        yield from ast.walk(ast.parse(file.read_text(encoding="utf-8")))
