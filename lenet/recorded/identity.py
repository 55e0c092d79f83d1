"""What makes two runs the same: their configuration, the code and the data. Each is told by a digest, kept as a tag."""

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lenet.common.flatten import flatten

CONFIG, CODE, DATA = "lenet.config", "lenet.code", "lenet.data"
"""The tags that hold the digests."""

HOME = Path(__file__).resolve().parents[1]


def config_digest(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a configuration, but for where its run is recorded and its place in a sweep."""
    told = {key: value for key, value in flatten(config).items() if not key.startswith(("tracking.", "sweep."))}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def code_digest(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of lenet's own source files and, where `config` names classes of others, of their code.

    That is every imported module in the folders that these classes come from, packages as a whole. It needs no git, and
    tells apart what a commit does not: a checkout with changes in it. A file is read once in a process, and then stands
    for what was imported: ask before processes are forked that are to give the same answer.
    """
    sha = hashlib.sha256(_own_code())
    for path in sorted(_other_modules(config)):
        sha.update(_file_digest(path))
    return sha.hexdigest()


@cache
def _own_code() -> bytes:
    sha = hashlib.sha256()
    for path in sorted(HOME.rglob("*.py")):
        sha.update(f"{path.relative_to(HOME).as_posix()}\0".encode())
        sha.update(_file_digest(path))
    return sha.digest()


@cache
def _file_digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _other_modules(config: Mapping[str, Any]) -> set[Path]:
    """Return the files of imported modules beside or below those that a `_target_` outside lenet comes from."""
    folders = set()
    for key, value in flatten(config).items():
        if key.rpartition(".")[2] == "_target_" and not str(value).startswith("lenet."):
            folders |= {_folder(name) for name in _modules_of(str(value))} - {None}
    if not folders:
        return set()
    loaded = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    files = {Path(file).resolve() for file in loaded if file}
    return {
        file
        for file in files
        if any(file.is_relative_to(folder) for folder in folders if folder)
        and not file.is_relative_to(HOME)
        and file.is_file()
    }


def _modules_of(target: str) -> set[str]:
    """Return the modules of a target: the one it is named by, and the one in which it is defined."""
    module = target
    while module and module not in sys.modules:
        module = module.rpartition(".")[0]
    found: Any = sys.modules.get(module)
    for name in target.removeprefix(module).strip(".").split("."):
        found = getattr(found, name, None)
    return {module, str(getattr(found, "__module__", module))}


def _folder(module: str) -> Path | None:
    """Return the folder that holds a module; of an installed one, the folder of its package alone."""
    top = sys.modules.get(module.partition(".")[0])
    file = getattr(top, "__file__", None)
    if not file:
        return None
    path = Path(file).resolve()
    if path.name == "__init__.py":
        return path.parent
    return path if "site-packages" in path.parts else path.parent
