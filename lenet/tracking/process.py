"""Which process writes a run, said so that another can tell later whether it still lives."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import psutil

KEYS = HOST, PID, START = "lenet.host", "lenet.pid", "lenet.process_start"


def identity() -> dict[str, str]:
    """Return the tags `lenet.host`, `lenet.pid` and `lenet.process_start` of this process."""
    pid = os.getpid()
    return {HOST: socket.gethostname(), PID: str(pid), START: process_start(pid) or ""}


def lives(identity: Mapping[str, str]) -> bool:
    """Say whether the process of this host lives that `identity` once returned this for."""
    pid = identity.get(PID, "")
    return pid.isdigit() and process_start(int(pid)) == identity.get(START)


def same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Say whether two runs' tags name the same process."""
    return all(one.get(key) == other.get(key) for key in KEYS)


def process_start(pid: int) -> str | None:
    """Return when the process `pid` of this host started, as text to compare; None if it is dead or a zombie.

    With the process id it names one process for ever: ids are given again, together with the same start
    never. On Linux it is the kernel's own count since boot with the boot's name, which no change of the clock
    moves.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The name of the program (in brackets, second field) may hold anything, so count from behind it.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if state in "ZX" else f"{boot}/{fields[18]}"
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    try:
        return repr(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
