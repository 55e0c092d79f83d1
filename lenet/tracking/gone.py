"""Telling a run whose process has gone: the store says RUNNING for ever of a process that was killed."""

import socket
import time
from collections.abc import Mapping

from lenet.tracking.process import HOST, PID, lives
from lenet.tracking.tags import HEARTBEAT

RUNNING = "RUNNING"
BEAT_SECONDS = 60.0
"""How often a run says so."""
SILENT_SECONDS = 15 * 60.0
"""After how long a run of another host that says nothing counts as gone."""


def has_gone(status: str, tags: Mapping[str, str], start: float) -> bool:
    """Say whether a run that began at `start` (seconds since the epoch) is called running though nothing runs it.

    Of this host's processes it is known whether they live; a run of another host is taken by its word, the heartbeat.
    Of a run that some other program has started nothing is known.
    """
    if status != RUNNING or not tags.get(PID, "").isdigit():
        return False
    if tags.get(HOST) != socket.gethostname():
        return time.time() - last_sign(tags, start) > SILENT_SECONDS
    return not lives(tags)


def last_sign(tags: Mapping[str, str], start: float) -> float:
    """Return when a run last gave a sign of life: its heartbeat, or its start if there is none yet."""
    beat = tags.get(HEARTBEAT, "")
    return max(start, float(beat)) if beat.isdigit() else start


def farewell(tags: Mapping[str, str]) -> str:
    """Say what became of a run whose process has gone."""
    where = f"its process ({tags.get(PID)} on {tags.get(HOST)})"
    if tags.get(HOST) != socket.gethostname():
        return f"{where} has given no sign of life for {SILENT_SECONDS / 60:.0f} minutes: it or its host has gone"
    return f"{where} has gone without closing it: it was killed"
