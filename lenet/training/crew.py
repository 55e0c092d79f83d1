"""Forked processes that compute alongside this one, on arrays in shared memory.

Threads would share the interpreter's lock, which costs more than it saves on pieces of a millisecond. A helper waits
at a pipe whose other end only its parent holds: when the parent goes, however it goes, the pipe ends and so does the
helper. It leaves Ctrl-C to its parent.
"""

import multiprocessing
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from threadpoolctl import threadpool_limits

from lenet.errors import Failure

Work = Callable[[int, Any], None]
"""What is done by member `number` (0 is the parent) when it is given an order."""


class CrewError(Failure):
    """A helper process failed or was killed."""


class Crew:
    """`size` processes that do the same work on different shares: this one, and `size - 1` forked from it now."""

    def __init__(self, size: int, work: Work) -> None:
        self._work = work
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        context = multiprocessing.get_context("fork")
        with warnings.catch_warnings():
            # Python warns of forking beside other threads; a helper takes none of their locks.
            warnings.simplefilter("ignore", DeprecationWarning)
            for number in range(1, size):
                ours, theirs = context.Pipe()
                self._pipes.append(ours)
                process = context.Process(target=_serve, args=(number, theirs, self._pipes, work), daemon=True)
                process.start()
                theirs.close()
                self._processes.append(process)

    @property
    def size(self) -> int:
        """How many processes there are, this one included."""
        return len(self._pipes) + 1

    def do(self, order: Any) -> None:
        """Have every member do its share of `order`, and return when all have; raise `CrewError` if one failed."""
        for pipe in self._pipes:
            try:
                pipe.send(order)
            except BrokenPipeError as error:
                raise CrewError("a worker process has ended; was it killed?") from error
        self._work(0, order)
        for pipe in self._pipes:
            try:
                failure = pipe.recv()
            except (EOFError, ConnectionResetError) as error:
                raise CrewError("a worker process has ended; was it killed?") from error
            if failure:
                raise CrewError(f"a worker process failed:\n{failure}")

    def dismiss(self) -> None:
        """End the helpers."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(timeout=1)
            if process.is_alive():  # still busy with an order that nobody waits for
                process.kill()
                process.join()


def _serve(number: int, orders: Connection, others: list[Connection], work: Work) -> None:
    """Do what comes through the pipe until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for parent_end in others:  # inherited; while it is open here, the pipe would not end with the parent
        parent_end.close()
    threadpool_limits(1, user_api="blas")
    while True:
        try:
            order = orders.recv()
        except (EOFError, ConnectionResetError):
            os._exit(0)  # no clean-up of what belongs to the parent
        try:
            work(number, order)
            failure = None
        except Exception:
            failure = traceback.format_exc()
        try:
            orders.send(failure)
        except BrokenPipeError:
            os._exit(0)
