"""Contenders in processes of their own, of which one works while all others sleep; rounds go from one to the next."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

ROOT = Path(__file__).resolve().parents[1]

REMOVED = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "XLA_FLAGS",
    "PYTHONDONTWRITEBYTECODE",
)
"""Variables that would slow a process down or set its threads for it."""

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """Who takes part: what a table calls it, its class as `module:Class` with arguments, and the library it needs."""

    name: str
    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    library: str = "numpy"


class ContenderError(RuntimeError):
    """A contender raised or died; the message holds its traceback."""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what would distort a measurement."""
    kept = {name: value for name, value in os.environ.items() if name not in REMOVED}
    return kept | dict(extra or {})


class Child:
    """An entry's process."""

    def __init__(self, entry: Entry) -> None:
        self.name = entry.name
        self._pipe, theirs = Pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.child", str(theirs.fileno())],
            cwd=ROOT,
            env=clean_environment(entry.environment),
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self.ask(entry.target, dict(entry.arguments))

    def ask(self, method: str, *arguments: Any) -> Any:
        """Have the process call a method and return the result; raise `ContenderError` if it fails."""
        try:
            self._pipe.send((method, *arguments) if ":" in method else (method, arguments))
            done, result = self._pipe.recv()
        except (OSError, EOFError) as error:
            raise ContenderError(f"{self.name}: its process has ended") from error
        if not done:
            raise ContenderError(f"{self.name}: {method} failed\n{result}")
        return result

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Arena:
    """A context manager: entering it starts the entries' processes, leaving it ends them."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)
        self.children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        try:
            for entry in self.entries:
                self.children[entry.name] = Child(entry)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self.children.values():
            child.close()

    def all(self, method: str, *arguments: Any) -> dict[str, Any]:
        """Ask every child the same, one after another."""
        return {name: child.ask(method, *arguments) for name, child in self.children.items()}

    def round(self, number: int, measure: Callable[[Child], T]) -> dict[str, T]:
        """Measure every child once, one after another; each round, by its number, starts with the next child."""
        children = list(self.children.values())
        first = number % len(children)
        return {child.name: measure(child) for child in children[first:] + children[:first]}
