"""What makes two runs the same: their configuration, the code and the data. Each is told by a digest, kept as a tag."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lenet.flatten import flatten

CONFIG, CODE, DATA = "lenet.config", "lenet.code", "lenet.data"
"""The tags that hold the digests."""

HOME = Path(__file__).resolve().parent


def config_digest(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a configuration, but for where its run is recorded and its place in a sweep."""
    told = {key: value for key, value in flatten(config).items() if not key.startswith(("tracking.", "sweep."))}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def code_digest(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of lenet's own source files, and of the modules of others that `config` names.

    It needs no git, and tells apart what a commit does not: a checkout with changes in it.
    """
    sha = hashlib.sha256(_own_code())
    for path in sorted(_other_modules(config)):
        sha.update(path.read_bytes())
    return sha.hexdigest()


@cache
def _own_code() -> bytes:
    """Return a digest of lenet's modules as they are when it is first asked for."""
    sha = hashlib.sha256()
    for path in sorted(HOME.rglob("*.py")):
        sha.update(f"{path.relative_to(HOME).as_posix()}\0".encode())
        sha.update(path.read_bytes())
    return sha.digest()


def _other_modules(config: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the files of imported modules that a `_target_` of the configuration names, lenet's left out."""
    targets = {str(value) for key, value in flatten(config).items() if key.rpartition(".")[2] == "_target_"}
    for target in targets:
        module = target
        while module and module not in sys.modules:
            module = module.rpartition(".")[0]
        file = getattr(sys.modules.get(module), "__file__", None)
        if file and module.partition(".")[0] != "lenet":
            yield Path(file)
