"""Processes that work on tasks beside this one, and that one another's end does not touch.

Each has a pipe of its own and one task at a time, so that nothing is shared which a killed process could leave locked
or half written: the task that it was at is lost, with the reason, and another process takes its place. A task that it
had not taken in hand is given to another.
"""

import gc
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from typing import Any, Literal, Self

from lenet.common.signals import STOPPING, held_back
from lenet.sweeps.worker import LOOK_SECONDS, STOP_SECONDS, Lost, Work, serve

Start = Literal["fork", "spawn"]
"""A forked process has everything that its parent has imported; a spawned one imports it anew."""

DISMISS_SECONDS = 5.0
"""How long idle processes may take to end; they take some milliseconds, but on a busy machine."""
STARTS = 3
"""How often in a row a process may end as it starts, or as it is given the same task, before no other is tried."""


class _PoolError(Exception):
    """No worker process can be started."""


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    place: int
    ready: bool = False
    task: int | None = None
    taken: bool = False
    """Whether the process has its task in hand; one that was ended before it had is no loss of the task."""


class Pool:
    """Up to `size` processes. They start when there is something to do and stay until the pool is left.

    A context manager. The processor's cores are shared out between the workers, where the system can bind a process
    to some (Linux): one that asks how many it may use gets its share.
    """

    def __init__(self, size: int, start: Start | None = None) -> None:
        self._size = self._room = size
        self._failed_starts, self._why = 0, ""
        self._shares = _shares(size)
        self._start = start or ("fork" if sys.platform == "linux" else "spawn")
        self._context: Any = multiprocessing.get_context(self._start)
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._dismiss()

    def run(
        self, work: Work, tasks: Sequence[Any], hear: Callable[[int, Any], None], check: Callable[[], None]
    ) -> list[Any]:
        """Do `work` with every task and return the results in the tasks' order, `Lost` where there is none.

        `hear` is called with a task's index and what is said of it on the way, then with its result. `check` is called
        a few times a second and may raise to stop everything: the tasks under way are then asked to stop (SIGTERM) and
        heard to their end, and of others nothing more is heard; what has not ended after a minute, or when a signal
        interrupts this too, is killed. Workers that are there already keep the `work` they were started with. Where
        none can be started, the tasks that are left are lost.
        """
        waiting = deque(range(len(tasks)))
        results: dict[int, Any] = {}
        given_back: Counter[int] = Counter()

        def listen() -> None:
            for task, kind, content in self._messages():
                if kind == "given back":
                    given_back[task] += 1
                    if given_back[task] < STARTS:
                        waiting.appendleft(task)
                        continue
                if kind != "said":
                    results[task] = content
                hear(task, content)

        try:
            while len(results) < len(tasks):
                try:
                    self._start_workers(len(tasks) - len(results), work)
                except _PoolError as error:
                    for task in waiting:
                        results[task] = Lost(str(error))
                        hear(task, results[task])
                    waiting.clear()
                for worker in self._workers:
                    if waiting and worker.ready and worker.task is None:
                        task = waiting.popleft()
                        _give(worker, task, tasks[task])
                if self._workers:
                    listen()
                check()
        except BaseException:
            self._stop(listen)
            raise
        return [results[task] for task in range(len(tasks))]

    def _start_workers(self, wanted: int, work: Work) -> None:
        """Start workers until there are as many as wanted, or as the system has room for; `_PoolError`: none at all."""
        while len(self._workers) < min(wanted, self._room):
            if self._failed_starts >= STARTS:
                if not self._workers:
                    raise _PoolError(f"worker processes end as they start: the last {self._why}")
                return
            try:
                self._start_worker(work)
            except OSError as error:
                if not self._workers:
                    raise _PoolError(f"no worker process can be started: {error.strerror}") from error
                self._room = len(self._workers)

    def _start_worker(self, work: Work) -> None:
        place = min(set(range(self._size)) - {worker.place for worker in self._workers})
        ours, theirs = self._context.Pipe()
        gc.freeze()  # what is there now is left alone by the workers' collections, and so stays in shared memory
        # What a forked process inherits of our ends of the pipes it must close, or they would not end with us.
        inherited = [worker.pipe for worker in self._workers] + [ours] if self._start == "fork" else []
        arguments = theirs, inherited, work, self._shares[place % len(self._shares)], os.getpid()
        with warnings.catch_warnings(), held_back(*STOPPING):
            # Python warns of forking beside other threads; a worker takes none of their locks.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = self._context.Process(target=serve, args=arguments)
            process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours, place))

    def _messages(self) -> Iterator[tuple[int, Literal["said", "result", "given back"], Any]]:
        """Yield what workers say within a moment: the task's index, what kind of message it is, and the message."""
        by_pipe: dict[Any, _Worker] = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(by_pipe), LOOK_SECONDS):
            worker = by_pipe[pipe]
            task = worker.task
            try:
                kind, content = worker.pipe.recv()
            except (EOFError, OSError):  # it has ended, perhaps in the middle of a message
                self._remove(worker)
                reason = _reason(worker.process.exitcode)
                if not worker.ready:
                    self._failed_starts, self._why = self._failed_starts + 1, reason
                if task is not None:
                    yield task, "result" if worker.taken else "given back", Lost(f"its process {reason}")
                continue
            if kind == "ready":
                worker.ready = True
                self._failed_starts = 0
            elif kind == "taken":
                worker.taken = True
            elif task is not None:
                if kind == "result":
                    worker.task = None
                yield task, kind, content

    def _remove(self, worker: _Worker) -> None:
        """Forget a worker that has ended."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()

    def _stop(self, listen: Callable[[], None]) -> None:
        """Have the tasks under way stop and listen to their last words, then end all workers."""
        try:
            for worker in self._workers:
                if worker.task is not None:
                    worker.process.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            while any(worker.task is not None for worker in self._workers) and time.monotonic() < deadline:
                listen()
        finally:
            self._dismiss()

    def _dismiss(self) -> None:
        """End all workers: idle ones by themselves when their pipe ends, others by force."""
        for worker in self._workers:
            if worker.task is not None:
                worker.process.kill()
            worker.pipe.close()
        deadline = time.monotonic() + DISMISS_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers = []


def _give(worker: _Worker, task: int, content: Any) -> None:
    """Give a task to an idle worker."""
    worker.task, worker.taken = task, False
    try:
        worker.pipe.send((task, content))
    except OSError:
        worker.process.kill()  # has ended, or cannot be reached: its end is heard of, and the task given back


def _shares(size: int) -> list[set[int]]:
    """Share the cores that this process may use out between `size` workers; where there are fewer, they share some."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if not cores:
        return [set()]
    each, more = divmod(len(cores), size)
    if not each:
        return [{core} for core in cores]
    bounds = [place * each + min(place, more) for place in range(size + 1)]
    return [set(cores[start:stop]) for start, stop in pairwise(bounds)]


def _reason(exit_code: int) -> str:
    """Say how a process ended."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    known = {number.value: number.name for number in signal.Signals}
    name = known.get(-exit_code, f"signal {-exit_code}")
    hint = ", as the system does where memory runs out" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
