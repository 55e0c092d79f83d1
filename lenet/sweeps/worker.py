"""What a process that works on tasks does, from its start to its end, and what clusters share with it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from lenet.common.signals import STOPPING

Say = Callable[[Any], None]
Work = Callable[[Any, Say], Any]
"""What is done with a task; what it says on the way and what it returns go back through the pipe."""

LOOK_SECONDS = 0.2
"""How long an interruption, or the parent's end, can go unnoticed."""
STOP_SECONDS = 60.0
"""How long a process that was asked to stop may take to bring its task to an end."""


@dataclass(frozen=True)
class Lost:
    """What stands for the result of a task whose process ended before it had one, or that raised."""

    reason: str


def serve(pipe: Connection, inherited: Sequence[Connection], work: Work, cores: set[int], parent: int) -> None:
    """Do what comes through the pipe, one task after the other, until it ends, the parent does, or a signal says so."""
    if hasattr(os, "setsid"):
        os.setsid()  # a Ctrl-C at the terminal is the parent's; it passes on what concerns a worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    for end in inherited:
        end.close()
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    def say(content: Any, kind: str = "said") -> None:
        # Whoever does not hear this has gone, and this process is about to be ended.
        with suppress(OSError):
            pipe.send((kind, content))

    say(None, "ready")
    while True:
        try:
            _, task = pipe.recv()
        except (EOFError, OSError):
            return
        say(None, "taken")
        try:
            result = work(task, say)
        except KeyboardInterrupt:
            return
        except Exception as error:
            result = Lost(f"{type(error).__name__}: {' '.join(str(error).split())}")
        say(result, "result")


def _end_with(parent: int) -> None:
    """End this process, as SIGTERM does, once its parent has gone."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)  # not heard while a run is being closed: then the pipe's end ends the process
    time.sleep(STOP_SECONDS)
    os._exit(1)
