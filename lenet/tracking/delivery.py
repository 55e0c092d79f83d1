"""Delivering what a run has to say: at once where the store answers, else kept in a journal and tried again."""

import logging
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from lenet.errors import UserError
from lenet.tracking.address import mask, tracking_uri
from lenet.tracking.failures import StoreAway, TrackingError, reason
from lenet.tracking.journal import PLACE, Header, Journal
from lenet.tracking.operations import METRICS_PER_BATCH, End, Metrics, Operation, Point, Status
from lenet.tracking.sender import Sender

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 1.0, 10.0
"""Seconds until a store that did not answer is tried again, at first and in the end."""
SHARE = 20
"""How many times as long as a vain try took is waited until the next, so that training hardly waits."""
LAST_SECONDS, BETWEEN_LAST = 8.0, 0.5
"""For how long a run tries at its end, and how long it waits between two tries."""


def deliver(journal: Journal, sender: Sender) -> tuple[int, int]:
    """Send what a journal holds, the end of its run last, and note each thing that was taken.

    Returns the numbers of metrics' points and of artifacts. May be broken off and begun again at any point. Raises
    what Sender and Journal do.
    """
    points, end = 0, None
    for operation, offset in _batched(journal.operations()):
        if isinstance(operation, End):
            end = operation
            continue
        sender.send(operation)
        journal.offset = offset
        points += len(operation.points) if isinstance(operation, Metrics) else 0
    artifacts = journal.artifacts()
    for name, path in artifacts.items():
        sender.put(path.read_bytes(), name)
        path.unlink()
    if end:
        sender.send(end)
    return points, len(artifacts)


def how_to_deliver(uri: str) -> str:
    """Return the command that delivers to the store `uri` what is kept below the working directory."""
    try:
        known = tracking_uri() == uri
    except UserError:
        known = False
    return "python -m lenet.deliver" + ("" if known else f" {shlex.quote(f'tracking.uri={mask(uri)}')}")


class Delivery:
    """Delivers one run's operations in their order, and its artifacts, of which each replaces the last of its name.

    What the store does not take is kept in a journal in the working directory, or in memory where that cannot be
    written, and tried again every few seconds. `TrackingError` says that the store refuses.
    """

    def __init__(self, sender: Sender, run_id: str, name: str) -> None:
        self._sender = sender
        self._run_id, self._name = run_id, name
        self._place = Path.cwd() / PLACE
        self._journal: Journal | None = None
        self._unwritten: list[Operation] = []
        self._fault = ""
        self._warned = False
        self._wait = FIRST_WAIT
        self._next_try = 0.0

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be delivered."""
        return self._journal is not None or bool(self._unwritten)

    def send(self, operation: Operation) -> None:
        """Deliver or keep an operation."""
        self.retry()
        if not self._has_backlog:
            try:
                self._sender.send(operation)
                return
            except StoreAway as error:
                self._fail(error)
        self._keep(operation)

    def put(self, data: bytes, name: str) -> None:
        """Deliver or keep an artifact; raise TrackingError where it can be written nowhere."""
        self.retry()
        if not self.is_behind or self._sender.has_artifacts_here:
            try:
                self._sender.put(data, name)
                if self._journal:
                    self._journal.forget(name)
                return
            except StoreAway as error:
                self._fail(error)
        try:
            self._begun().keep(data, name)
        except OSError as error:
            raise TrackingError(
                f"{name} cannot be written ({self._fault}), and cannot be kept at {self._place} ({reason(error)})"
            ) from None
        self._warn(f"at {self._begun().folder}")

    def retry(self) -> None:
        """Deliver what waits, if a try is due."""
        if self.is_behind and time.monotonic() >= self._next_try:
            self._try()

    def finish(self, status: Status) -> None:
        """End the run, now.

        Where the store does not answer for some seconds more, the end is kept too, and how to deliver it is said.
        Raises TrackingError where something is lost, or is refused; what was refused is kept.
        """
        end = End(status=status, time=time.time_ns() // 1_000_000)
        deadline = time.monotonic() + LAST_SECONDS
        while True:
            try:
                if not self.is_behind or self._try():
                    self._sender.send(end)
                    return
            except StoreAway as error:
                self._fail(error)
            except TrackingError:
                if self.is_behind:
                    self._keep(end)
                raise
            if time.monotonic() >= deadline:
                break
            time.sleep(BETWEEN_LAST)
        self._warned = True  # all is said below
        self._keep(end)
        if self._unwritten:
            raise TrackingError(
                f"the store did not take what was recorded last ({self._fault}), and {self._place} cannot be written: "
                "it is lost"
            )
        log.warning(
            "%s: the store does not take what is recorded (%s): it is kept at %s;\nto deliver it later:\n%s",
            self._name,
            self._fault,
            self._begun().folder,
            how_to_deliver(self._sender.uri),
        )

    @property
    def _has_backlog(self) -> bool:
        return bool(self._unwritten) or (self._journal is not None and self._journal.has_lines)

    def _try(self) -> bool:
        """Deliver all that waits; say whether nothing does any more."""
        started = time.monotonic()
        try:
            self._sender.knock()
            if self._journal:
                deliver(self._journal, self._sender)
            while self._unwritten:
                self._sender.send(self._unwritten[0])
                del self._unwritten[0]
        except StoreAway as error:
            self._fault = str(error)
            self._wait = min(2 * self._wait, LONGEST_WAIT)
            now = time.monotonic()
            self._next_try = now + max(self._wait, SHARE * (now - started))
            return False
        except OSError as error:
            raise TrackingError(f"what was kept at {self._place} cannot be read: {reason(error)}") from None
        if self._journal:
            self._journal.discard()
        if self._warned:
            log.info("%s: the store answers again, and has all that was kept", self._name)
        self._journal, self._warned, self._wait = None, False, FIRST_WAIT
        return True

    def _fail(self, error: StoreAway) -> None:
        self._fault = str(error)
        if not self.is_behind:
            self._next_try = time.monotonic() + self._wait

    def _keep(self, operation: Operation) -> None:
        """Put an operation at the end of the journal, or in memory until it can be."""
        self._unwritten.append(operation)
        try:
            while self._unwritten:
                self._begun().append(self._unwritten[0])
                del self._unwritten[0]
            where = f"at {self._begun().folder}"
        except OSError as error:
            where = f"in memory, since {self._place} cannot be written ({reason(error)}),"
        self._warn(where)

    def _warn(self, where: str) -> None:
        if not self._warned:
            self._warned = True
            told = "%s: the store does not take what is recorded (%s): it is kept %s until it does"
            log.warning(told, self._name, self._fault, where)

    def _begun(self) -> Journal:
        if self._journal is None:
            header = Header.of_this_process(self._run_id, self._name, mask(self._sender.uri))
            self._journal = Journal.begin(self._place, header)
        return self._journal


def _batched(operations: Iterator[tuple[Operation, int]]) -> Iterator[tuple[Operation, int]]:
    """Put the points of metrics that follow each other in one operation, so far as one may hold them."""
    points: list[Point] = []
    reached = 0
    for operation, offset in operations:
        more = operation.points if isinstance(operation, Metrics) else []
        if points and (not more or len(points) + len(more) > METRICS_PER_BATCH):
            yield Metrics(points=points), reached
            points = []
        points = points + more
        reached = offset
        if not more:
            yield operation, offset
    if points:
        yield Metrics(points=points), reached
