"""Downloading one file from the first of several mirrors that delivers it whole."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from lenet.errors import UserError

MAX_BYTES = 64 * 2**20
"""More than any published file has (27 MB): what is longer is not what was asked for."""


def download(
    file_name: str, mirrors: Sequence[str], target: Path, verify: Callable[[Path], object], timeout: float
) -> None:
    """Fetch `file_name` from the first of the `mirrors` whose copy passes `verify`, to `target`.

    `mirrors` are base addresses; `verify` raises `UserError` for a bad copy. `timeout` is in seconds, for the
    connection and for each wait for data, so that a mirror that stalls is left. `target` appears whole or not
    at all. Raises `UserError`, with the reason for each mirror, when all of them fail.
    """
    failures: list[str] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent)
    except OSError as fault:
        raise UserError(
            f"{target.parent}: cannot be written ({fault.strerror}), so {file_name} cannot be downloaded."
        ) from fault
    with scratch as folder:
        copy = Path(folder, target.name)
        for mirror in mirrors:
            try:
                _fetch(f"{mirror.rstrip('/')}/{file_name}", copy, timeout)
                verify(copy)
                copy.replace(target)
                return
            except (OSError, UserError) as fault:  # every failure of requests is an OSError
                failures.append(f"{mirror}: {_reason(fault).replace(f'{copy}: ', '')}")
    raise UserError("\n  ".join([f"Downloading {file_name} failed from each mirror:", *failures]))


class _Bounded:
    """A file to write to that refuses to grow past `MAX_BYTES`."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.flush = file.flush

    def write(self, chunk: bytes) -> None:
        if self.file.tell() + len(chunk) > MAX_BYTES:
            raise UserError(f"it sends more than {MAX_BYTES} bytes")
        self.file.write(chunk)


def _fetch(address: str, path: Path, timeout: float) -> None:
    # Imported here: it takes longer than finding data that needs no download.
    from pooch import HTTPDownloader

    fetch = HTTPDownloader(
        progressbar=sys.stderr.isatty(),
        chunk_size=2**16,
        timeout=(timeout, timeout),
        headers={"Accept-Encoding": "identity"},  # the .gz itself, not what a server unpacks from it
    )
    with path.open("wb") as file:
        fetch(address, _Bounded(file), None)


def _reason(fault: Exception) -> str:
    """Say in one line why a mirror failed: the cause, without the layers of urllib3 around it."""
    cause = fault.args[0] if fault.args else fault
    return str(getattr(cause, "reason", None) or fault) or type(fault).__name__
