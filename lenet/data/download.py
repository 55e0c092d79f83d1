"""Downloading one file from the first of several mirrors that delivers it whole."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from lenet.common.tables import COLUMNS, cut
from lenet.data.published import OtherContent
from lenet.errors import UserError

MAX_BYTES = 64 * 2**20
"""More than any published file has (27 MB): what is longer is not what was asked for."""
LONGEST = 120
"""Characters of a reason in the words of a library."""
CAUSES = {
    "Failed to resolve": "not found (no network?)",
    "Connection refused": "connection refused",
    "Network is unreachable": "the network is unreachable",
    "No route to host": "the network is unreachable",
    "IncompleteRead": "the connection ended early",
}
"""What words in a reason of urllib3's say plainly."""


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
                failures.append(_told(mirror, _reason(fault).replace(f"{copy}: ", "")))
    raise UserError("\n  ".join([f"Downloading {file_name} failed:", *failures]))


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


def _told(mirror: str, reason: str) -> str:
    """Return a mirror and why it failed; of an address that leaves no room for that in a terminal, only its host."""
    line = f"{mirror}: {reason}"
    if len(line) <= COLUMNS - 2:
        return line
    try:
        return f"{urlsplit(mirror).hostname}: {reason}"
    except ValueError:  # of what is no address
        return cut(line, COLUMNS - 2)


def _reason(fault: Exception) -> str:
    """Say in a few words why a mirror failed: the cause, without addresses and the layers of urllib3 around it."""
    import requests

    if isinstance(fault, OtherContent):
        return "sends another file than the published one"
    if isinstance(fault, requests.HTTPError) and fault.response is not None:
        return f"answers {fault.response.status_code} {fault.response.reason}".rstrip()
    if isinstance(fault, requests.exceptions.SSLError):
        return "its certificate is not accepted"
    if isinstance(fault, requests.exceptions.ProxyError):
        return "the proxy cannot be used"
    if isinstance(fault, requests.ConnectTimeout):
        return "did not answer in time (data.timeout)"
    cause = fault.args[0] if fault.args else fault
    words = str(getattr(cause, "reason", None) or fault) or type(fault).__name__
    if isinstance(fault, requests.ReadTimeout) or "Read timed out" in words:
        return "stopped sending (data.timeout)"
    for sign, plain in CAUSES.items():
        if sign in words:
            return plain
    return cut(words, LONGEST)
