"""Writing a file so that a reader sees the old content or the new, whole; and whether a folder can be written to."""

import os
import re
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from lenet.errors import UserError


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` at `path`, making its folders: written beside it under another name, flushed to disk,
    renamed.

    Whatever goes wrong on the way (OSError), an older file at `path` is untouched and nothing is left beside
    it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(partial, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove below `folder` what `write_atomically` leaves there if its process is killed.

    To be called only where nothing writes any more.
    """
    for path in folder.rglob(".*"):
        if re.fullmatch(r"\..+\.[0-9a-f]{8}", path.name) and path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)


def try_folder(folder: Path, key: str) -> None:
    """Raise `UserError`, naming `key`, where a folder cannot be made or written to; one that was made is removed."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"{folder.absolute()} cannot be written to ({error.strerror}); work in a folder that can be, or name "
            f"another one: {key}=FOLDER."
        ) from error
    finally:
        for path in missing:
            with suppress(OSError):  # it was not made, or is in use by another process meanwhile
                path.rmdir()
