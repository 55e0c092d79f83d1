"""What a whole command costs: wall time, CPU time and peak memory, of all its processes."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_EVERY = 0.05
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Usage:
    """What a command took. Seconds and bytes; `pss` counts memory that processes share once (the sum of their PSS)."""

    wall: float
    cpu: float
    pss: int = 0
    largest_rss: int = 0


class CommandError(RuntimeError):
    """A command that was to be measured failed."""


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], memory: bool = True) -> Usage:
    """Run a command to its end in `folder` and return what it took; raise `CommandError` if it fails.

    Memory is the highest of samples, which themselves take a little of the time that is measured.
    """
    log = folder / "output.txt"
    begun = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=output, stderr=output)
    pss = rss = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)  # with what its children took, once it has waited
        if pid:
            break
        if memory:
            now_pss, now_rss = tree_memory(process.pid)
            pss, rss = max(pss, now_pss), max(rss, now_rss)
        time.sleep(SAMPLE_EVERY if memory else SAMPLE_EVERY / 10)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CommandError(f"{' '.join(command)} ended with {process.returncode}:\n{log.read_text()[-2000:]}")
    return Usage(wall, usage.ru_utime + usage.ru_stime, pss, rss)


def cpu_until(command: Sequence[str], folder: Path, environment: Mapping[str, str], line: str) -> float:
    """Run a command until it prints `line`, end it, and return the CPU seconds that it and its children took so far."""
    with (folder / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    said = []
    for said_line in process.stdout:
        if said_line.strip() == line:
            break
        said.append(said_line)
    else:
        process.wait()
        raise CommandError(f"{' '.join(command)} never said {line!r}: {''.join(said)[-2000:]}")
    family = _family(process.pid)
    seconds = 0.0
    for member in family:
        times = member.cpu_times()
        seconds += times.user + times.system + times.children_user + times.children_system
    for member in reversed(family):
        member.kill()
    process.wait()
    process.stdout.close()
    return seconds


def tree_memory(pid: int) -> tuple[int, int]:
    """Return, of a process and its descendants, the sum of PSS and the largest RSS, in bytes."""
    pss = rss = 0
    for member in _family(pid):
        try:
            found = member.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has just ended
            continue
        pss += getattr(found, "pss", found.rss)
        rss = max(rss, found.rss)
    return pss, rss


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
