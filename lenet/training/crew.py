"""Forked processes that compute alongside this one, on arrays in shared memory.

Threads would share the interpreter's lock, which costs more than it saves on pieces of a millisecond. Orders go over a
board in shared memory, which a helper watches for a moment before it goes to sleep at its pipe: a step follows the one
before so soon that waking up would take a tenth of it. The pipe's other end is only its parent's: when the parent
goes, however it goes, the pipe ends and so does the helper. It leaves Ctrl-C to its parent.
"""

import mmap
import multiprocessing
import os
import platform
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from threadpoolctl import threadpool_limits

from lenet.errors import Failure

Order = tuple[int, int, int, int]
"""What is to be done, in numbers that the crew only passes on."""

Work = Callable[[int, Order], None]
"""What is done by member `number` (0 is the parent) when it is given an order."""

# x86 shows stores to other cores in the order in which they were made, so that who sees a new order on the board sees
# all that was written before it. Other processors do not promise that; there, helpers always sleep at their pipes.
WATCH_SECONDS = 500e-6 if platform.machine() in ("x86_64", "AMD64") else 0.0
NAP_SECONDS = 0.05
"""How long a wake-up call can be missed at worst."""
PATIENCE = 20_000
"""Looks at the board, some tens of nanoseconds each, after which a helper that has not finished is asked after."""


class CrewError(Failure):
    """A helper process failed or was killed."""


class _Board:
    """Numbers in shared memory: an order and its number, and for each member what it has done and if it sleeps."""

    def __init__(self, size: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, 64 * (size + 1))).cast("q")  # a cache line each

    def post(self, number: int, order: Order) -> None:
        self._cells[1], self._cells[2], self._cells[3], self._cells[4] = order
        self._cells[0] = number

    def number(self) -> int:
        return self._cells[0]

    def order(self) -> Order:
        return self._cells[1], self._cells[2], self._cells[3], self._cells[4]

    def done(self, member: int) -> int:
        return self._cells[8 * (member + 1)]

    def set_done(self, member: int, number: int) -> None:
        self._cells[8 * (member + 1)] = number

    def asleep(self, member: int) -> int:
        return self._cells[8 * (member + 1) + 1]

    def set_asleep(self, member: int, asleep: bool) -> None:
        self._cells[8 * (member + 1) + 1] = asleep


class Crew:
    """`size` processes that do the same work on different shares: this one, and `size - 1` forked from it now."""

    def __init__(self, size: int, work: Work) -> None:
        self.size = size
        self._work = work
        self._board = _Board(size)
        self._number = 0
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        context = multiprocessing.get_context("fork")
        with warnings.catch_warnings():
            # Python warns of forking beside other threads; a helper takes none of their locks.
            warnings.simplefilter("ignore", DeprecationWarning)
            for member in range(1, size):
                ours, theirs = context.Pipe()
                self._pipes.append(ours)
                arguments = (member, self._board, theirs, self._pipes, work)
                process = context.Process(target=_serve, args=arguments, daemon=True)
                process.start()
                theirs.close()
                self._processes.append(process)

    def do(self, order: Order) -> None:
        """Have every member do its share of `order`, and return when all have; raise `CrewError` if one failed."""
        self._number += 1
        self._board.post(self._number, order)
        for member, pipe in enumerate(self._pipes, start=1):
            if self._board.asleep(member):
                try:
                    pipe.send_bytes(b"wake up")
                except BrokenPipeError as error:
                    raise CrewError("a worker process has ended; was it killed?") from error
        self._work(0, order)
        for member, pipe in enumerate(self._pipes, start=1):
            self._wait_for(member, pipe)

    def _wait_for(self, member: int, pipe: Connection) -> None:
        board, number, looks = self._board, self._number, 0
        while (done := board.done(member)) != number:
            looks += 1
            if done == -number or (looks > PATIENCE and looks % 1000 == 0 and pipe.poll()):
                try:
                    failure = pipe.recv()
                except (EOFError, ConnectionResetError) as error:
                    raise CrewError("a worker process has ended; was it killed?") from error
                raise CrewError(f"a worker process failed:\n{failure}")
            if looks % 100 == 0:
                os.sched_yield()  # the helper may be waiting for this very core

    def dismiss(self) -> None:
        """End the helpers."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(timeout=1)
            if process.is_alive():  # still busy with an order that nobody waits for
                process.kill()
                process.join()


def _serve(member: int, board: _Board, pipe: Connection, others: list[Connection], work: Work) -> None:
    """Do what is posted on the board until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for parent_end in others:  # inherited; while it is open here, the pipe would not end with the parent
        parent_end.close()
    threadpool_limits(1, user_api="blas")
    number = 0
    while True:
        try:
            _wait_for_order(member, board, pipe, number)
        except (EOFError, ConnectionResetError):
            os._exit(0)  # no clean-up of what belongs to the parent
        number = board.number()
        try:
            work(member, board.order())
        except Exception:
            pipe.send(traceback.format_exc())
            board.set_done(member, -number)
        else:
            board.set_done(member, number)


def _wait_for_order(member: int, board: _Board, pipe: Connection, number: int) -> None:
    """Return when an order after `number` is posted; raise `EOFError` when the parent has gone."""
    deadline = time.perf_counter() + WATCH_SECONDS
    while board.number() == number:
        if time.perf_counter() < deadline:
            continue
        board.set_asleep(member, True)
        # An order may have been posted just before that was seen: so look again, and never sleep for long.
        if board.number() == number and pipe.poll(NAP_SECONDS):
            pipe.recv_bytes()
        board.set_asleep(member, False)
