"""What may become of an input: it is refused with one message or accepted and valid, soon and in bounded memory."""

import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol

from lenet.errors import UserError

SECONDS = 60.0
"""The most that one input may take, also on a machine that is busy with much else: none takes a second by itself."""
MEMORY = 256 << 20
"""The most bytes that a reader may ask for beyond what the process has when it is called.

Decoding an image of the largest size, in grey levels with transparency, takes 192 MiB: three times 4 bytes a pixel.
"""
LONGEST_MESSAGE = 4000
TELLTALES = ("Traceback", "MemoryError", "RecursionError", "Unable to allocate", 'File "', " at 0x")
"""What a message has in it that passes on a fault of ours, or of Python's, as one of the user's."""


class Target(Protocol):
    """Something that reads input: bytes of a file, or the words of a command line."""

    name: str
    seeds: list[Any]
    """Valid inputs, from which others are made."""

    def mutate(self, random: Random, base: Any, other: Any) -> Any:
        """Return another input, made of two that are there."""

    def read(self, content: Any) -> Any:
        """Do what the project does with such input; raise `UserError` where it is refused."""

    def check(self, content: Any, result: Any) -> None:
        """Raise AssertionError unless an accepted input is really valid, by other means than the reader's own."""

    def names(self, content: Any) -> list[str]:
        """Return words, of which a message has to hold one: the file, or a key."""


class Outcome(NamedTuple):
    """Whether an input was accepted, and the most bytes that reading it took."""

    accepted: bool
    memory: int


class Violation(Exception):
    """Something happened that may not."""


class _Hang(BaseException):
    """Time is up; no `except Exception` holds this back."""


def judge(target: Target, content: Any, seconds: float = SECONDS) -> Outcome:
    """Have a target read an input, and return what became of it; raise `Violation` where that is what may not be."""
    peak = Peak()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with bounded_memory(), _within(seconds):
                result = target.read(content)
            accepted = True
        except UserError as error:
            accepted = False
            _check_message(str(error), target.names(content))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            what = "hangs" if isinstance(error, _Hang) else f"raises {type(error).__name__}: {str(error)[:300]}"
            raise Violation(what) from error
    memory = peak.bytes()
    if warned:
        raise Violation(f"warns: {warned[0].message}")
    if accepted:
        try:
            with _within(seconds):
                target.check(content, result)
        except Exception as error:
            raise Violation(f"is accepted and not valid: {type(error).__name__}: {str(error)[:500]}") from error
    return Outcome(accepted, memory)


def _check_message(message: str, names: list[str]) -> None:
    """Raise `Violation` unless this is one message that a person can use."""
    faults = {
        "is empty": not message.strip(),
        f"has {len(message)} characters": len(message) > LONGEST_MESSAGE,
        "is not printable": not message.replace("\n", "").isprintable(),
        f"names none of {names[:8]}": not any(name in message for name in names),
        **{f"says {word!r}": word in message for word in TELLTALES},
    }
    for fault, found in faults.items():
        if found:
            raise Violation(f"is refused with a message that {fault}: {message[:500]!r}")


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)  # and again, should the first fall where it is swallowed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def bounded_memory(more: int = MEMORY) -> Iterator[None]:
    """Have whatever asks for more than so many bytes on top of what there is fail (on Linux; elsewhere nothing)."""
    if sys.platform != "linux":
        yield
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Peak:
    """The most bytes that were resident at a time since this was made, beyond what was then (on Linux; elsewhere 0)."""

    def __init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # have the kernel forget the peak so far
        self.before = _status("VmRSS")

    def bytes(self) -> int:
        return max(0, _status("VmHWM") - self.before)


def _status(key: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))
