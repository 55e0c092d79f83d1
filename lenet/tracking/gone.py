"""Telling a run whose process has gone: the store says RUNNING for ever of a process that was killed."""

import socket
from collections.abc import Mapping

from lenet.tracking.process import HOST, PID, START, process_start

RUNNING = "RUNNING"
ERROR = "lenet.error"
"""The tag that says why a run failed, or what became of it."""


def has_gone(status: str, tags: Mapping[str, str]) -> bool:
    """Say whether a run is called running though its process, one of this host, is there no more.

    Of another host's processes nothing is known here, nor of a run that some other program has started.
    """
    if status != RUNNING or tags.get(HOST) != socket.gethostname() or not tags.get(PID, "").isdigit():
        return False
    return process_start(int(tags[PID])) != tags.get(START)


def farewell(tags: Mapping[str, str]) -> str:
    """Say what became of a run whose process has gone."""
    return f"its process ({tags.get(PID)} on {tags.get(HOST)}) has gone without closing it: it was killed"
