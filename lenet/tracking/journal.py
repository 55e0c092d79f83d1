"""What a run could not deliver, on disk: a folder with a journal of operations, and the artifacts as files.

The journal is a line of JSON each, the first of which says whose it is. A line is written whole before the next, so
that a process that is killed loses the last one at most. No password is in it. What is read is not trusted.
"""

import json
import os
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lenet.common.files import write_atomically
from lenet.errors import UserError
from lenet.tracking import process
from lenet.tracking.gone import SILENT_SECONDS
from lenet.tracking.operations import OPERATION, End, Operation

PLACE = Path("mlruns/undelivered")
"""Where the folders are, below the working directory."""
FILE, ARTIFACTS = "journal.jsonl", "artifacts"
MOST_LINE = 4 << 20
"""The most bytes of a line; a full batch of parameters has 2.4 million."""
MOST_ARTIFACT = 1 << 30
"""The most bytes of an artifact."""

Text = Annotated[str, Field(max_length=4096)]


class Header(BaseModel):
    """Whose journal it is: a run of the store at the masked address `uri`, written by a process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    run_id: Annotated[str, Field(pattern="^[0-9a-zA-Z_-]{1,64}$")]
    name: Text
    uri: Text
    host: Text
    pid: Annotated[int, Field(ge=0, lt=1 << 53)]
    start: Text

    @classmethod
    def of_this_process(cls, run_id: str, name: str, uri: str) -> Self:
        """Return the header of a journal that this process writes."""
        me = process.identity()
        pid, start = int(me[process.PID]), me[process.START]
        return cls(run_id=run_id, name=name, uri=uri, host=me[process.HOST], pid=pid, start=start)

    @property
    def writer(self) -> dict[str, str]:
        """Which process writes or wrote it, as `process.identity` tells it."""
        return {process.HOST: self.host, process.PID: str(self.pid), process.START: self.start}


class Journal:
    """The folder of one run, of which `offset` says from which byte on the journal is not yet delivered."""

    def __init__(self, folder: Path, header: Header, offset: int) -> None:
        self.folder = folder
        self.header = header
        self.offset = self._size = offset

    @classmethod
    def begin(cls, place: Path, header: Header) -> Self:
        """Make a new folder in `place`, named by the run; OSError where that cannot be."""
        number, folder = 1, place / header.run_id
        place.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                folder.mkdir()
                break
            except FileExistsError:  # left by an earlier process that wrote the same run
                number += 1
                folder = place / f"{header.run_id}.{number}"
        line = _line(header)
        try:
            write_atomically(folder / FILE, line)
        except OSError:
            with suppress(OSError):
                folder.rmdir()
            raise
        return cls(folder, header, len(line))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read whose folder it is; UserError for what is none."""
        file = folder / FILE
        if not stat.S_ISREG(_mode(file)):
            raise UserError(f"{folder} holds no {FILE}. Accepted: a folder of {PLACE}, as a run's warning names it.")
        with open(file, "rb") as stream:
            line = stream.readline(MOST_LINE)
        try:
            return cls(folder, Header.model_validate(_value(line, f"{file}, line 1,")), len(line))
        except ValidationError as error:
            raise UserError(f"{file}, line 1, is not the header of a journal: {_first(error)}.") from None

    @property
    def has_lines(self) -> bool:
        """Whether this process has appended lines that are not yet delivered."""
        return self.offset < self._size

    def append(self, operation: Operation) -> None:
        """Add an operation; where that fails (OSError), it is not there in part."""
        line = _line(operation)
        with open(self.folder / FILE, "r+b", buffering=0) as file:
            file.seek(self._size)
            try:
                if file.write(line) != len(line):
                    raise OSError("the line was cut: the disk is full")
            except OSError:
                file.truncate(self._size)
                raise
        self._size += len(line)

    def keep(self, data: bytes, name: str) -> None:
        """Keep an artifact instead of an older one of its name; OSError where that cannot be."""
        write_atomically(self.folder / ARTIFACTS / PurePosixPath(name), data)

    def forget(self, name: str) -> None:
        """Forget an artifact, which is there or not."""
        (self.folder / ARTIFACTS / PurePosixPath(name)).unlink(missing_ok=True)

    def operations(self) -> Iterator[tuple[Operation, int]]:
        """Yield what is not yet delivered, and the offset after each; UserError for what is no operation.

        What follows the last line's end is what a process was writing when it was killed, and left out.
        """
        with open(self.folder / FILE, "rb") as stream:
            stream.seek(self.offset)
            while (line := stream.readline(MOST_LINE)).endswith(b"\n"):
                where = f"{self.folder / FILE}, byte {stream.tell() - len(line):,},"
                try:
                    yield OPERATION.validate_python(_value(line, where)), stream.tell()
                except ValidationError as error:
                    raise UserError(f"{where} is not what a run records: {_first(error)}.") from None
            if len(line) == MOST_LINE:
                raise UserError(f"{self.folder / FILE} has a line of more than {MOST_LINE:,} bytes.")

    def artifacts(self) -> dict[str, Path]:
        """Return the files of the artifacts by name; UserError for what is no file, or is too large."""
        root = self.folder / ARTIFACTS
        found: dict[str, Path] = {}
        if stat.S_ISLNK(_mode(root)):
            raise UserError(f"{root} is a link. Accepted: a folder.")
        for place, folders, names in os.walk(root):
            for path in (Path(place, name) for name in [*folders, *names]):
                status = path.lstat()
                if stat.S_ISDIR(status.st_mode):
                    continue
                if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_ARTIFACT:
                    raise UserError(f"{path} is no artifact. Accepted: plain files up to {MOST_ARTIFACT:,} bytes.")
                found[path.relative_to(root).as_posix()] = path
        return found

    def is_ended(self) -> bool:
        """Say whether its run has ended; raises as `operations` and `artifacts` do for anything that is wrong."""
        self.artifacts()
        last = None
        for operation, _ in self.operations():
            if isinstance(last, End):
                raise UserError(f"{self.folder / FILE} goes on after the end of its run.")
            last = operation
        return isinstance(last, End)

    def is_being_written(self) -> bool:
        """Say whether its process lives, so far as is known: one of another host is taken by its last word."""
        if self.header.host == socket.gethostname():
            return process.lives(self.header.writer)
        return time.time() - (self.folder / FILE).stat().st_mtime < SILENT_SECONDS

    def discard(self) -> None:
        """Remove the folder; killed in between, it leaves one that is still a journal's."""
        shutil.rmtree(self.folder / ARTIFACTS, ignore_errors=True)
        (self.folder / FILE).unlink(missing_ok=True)
        with suppress(OSError):  # somebody has put something else there
            self.folder.rmdir()
            self.folder.parent.rmdir()


def journals(place: Path = PLACE) -> list[Path]:
    """Return the folders in `place` that hold a journal."""
    return sorted(path.parent for path in place.glob(f"*/{FILE}"))


def _line(content: BaseModel) -> bytes:
    return json.dumps(content.model_dump()).encode() + b"\n"


def _value(line: bytes, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is no JSON: {error}.") from None


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, fault['loc'][:4]))} {fault['msg']}".strip()
