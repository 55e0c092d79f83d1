"""How much of the machine other processes used while something was measured."""

import os
import time
from dataclasses import dataclass, field
from typing import Self

import psutil


@dataclass
class Neighbours:
    """A context manager; `cores` is then the mean number of cores that were busy for others than our processes."""

    cores: float = 0.0
    _begun: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0))

    def __enter__(self) -> Self:
        self._begun = _now()
        return self

    def __exit__(self, *error: object) -> None:
        seconds, busy, own = (now - then for now, then in zip(_now(), self._begun, strict=True))
        self.cores = max(0.0, busy - own) / max(seconds, 1e-9)


def _now() -> tuple[float, float, float]:
    return time.perf_counter(), _busy(), _own()


def _busy() -> float:
    """Return the seconds that all cores together have worked since the machine started."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted under user and nice too
    return float(sum(times) - idle - guests)


def _own() -> float:
    """Return the seconds that this process and its descendants have worked, those that have ended included."""
    total = 0.0
    for process in [psutil.Process(os.getpid()), *psutil.Process(os.getpid()).children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
