"""What could not be delivered to a store, kept on disk in the order in which it was said.

A folder for each run: `journal.jsonl`, whose first line says whose it is and whose others are operations, and the
artifacts below `artifacts/`, of which a new one replaces an older one of the same name. A process that is killed loses
at most the line that it was writing.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from lenet.documents import read_json
from lenet.errors import UserError
from lenet.files import write_atomically
from lenet.tracking.operations import Operation

PLACE = Path("mlruns", "undelivered")
"""Where journals lie, in the working directory."""
LINES, ARTIFACTS = "journal.jsonl", "artifacts"
LONGEST = 1 << 17
"""Characters of a line: more than 1,000 points of metrics take."""


def has_journal(run_id: str) -> bool:
    """Say whether a run has a journal in the working directory."""
    return (PLACE / run_id / LINES).exists()


class Journal:
    """A run's journal in `folder`. What writes to it raises OSError where the disk does not take it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @classmethod
    def begin(cls, run_id: str, owner: Mapping[str, str]) -> "Journal":
        """Start a run's journal in the working directory, or go on with the one that is there."""
        journal = cls(PLACE / run_id)
        journal.folder.mkdir(parents=True, exist_ok=True)
        if not (journal.folder / LINES).exists():
            journal._append({"run": run_id, **owner})
        return journal

    def keep(self, operation: Operation, content: bytes | None = None) -> None:
        """Write an operation down; an artifact's `content` before it."""
        if content is not None:
            write_atomically(self.folder / ARTIFACTS / str(inside(operation["name"])), content)
        self._append(operation)

    def owner(self) -> dict[str, str]:
        """Return what the first line says: `run`, `name`, `store` and the process; raise `UserError` without it."""
        first = next(self._lines(), None)
        if first is None or not all(isinstance(value, str) for value in first.values()) or "run" not in first:
            raise UserError(f"{self.folder / LINES} does not begin as a journal of a run does.")
        return first

    def operations(self, done: int = 0) -> Iterator[tuple[int, Operation, bytes | None]]:
        """Yield what was kept after the first `done` operations, in its order, each with its number from 1 on.

        Of an artifact only the last of its name, with its content. Raises `UserError` for what is no journal of ours.
        """
        lines = list(self._lines())[1:]
        last = {line.get("name"): number for number, line in enumerate(lines) if line.get("do") == "artifact"}
        for number, line in enumerate(lines):
            if number < done or (line.get("do") == "artifact" and last[line.get("name")] != number):
                continue
            content = None
            if line.get("do") == "artifact":
                content = (self.folder / ARTIFACTS / str(inside(str(line.get("name"))))).read_bytes()
            yield number + 1, line, content

    def remove(self) -> None:
        """Remove the journal, once all of it is delivered; the line file last, without which it is none."""
        files = sorted(self.folder.rglob("*"), key=lambda path: (path.name == LINES, -len(path.parts)))
        for path in files:
            path.rmdir() if path.is_dir() else path.unlink()
        self.folder.rmdir()

    def _append(self, line: Mapping[str, Any]) -> None:
        with open(self.folder / LINES, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _lines(self) -> Iterator[dict[str, Any]]:
        with open(self.folder / LINES, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST + 1), "")):
                if not line.endswith("\n") and len(line) <= LONGEST:
                    return  # its process was killed while it wrote it
                yield read_json(line, f"{self.folder / LINES}, line {number + 1},")


def inside(name: str) -> PurePosixPath:
    """Return an artifact's name as a path; raise ValueError where it leads out of the run's artifacts."""
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ValueError(f"name must be a path inside the run's artifacts, not {name!r}")
    return path
