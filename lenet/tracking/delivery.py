"""Getting what a run has to say to its store: at once, or where the store does not answer, later, from a journal."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from mlflow.tracking import MlflowClient

from lenet.tracking.failures import TrackingError, UnreachableError
from lenet.tracking.journal import Journal
from lenet.tracking.operations import Operation, perform

log = logging.getLogger(__name__)

PATIENCE = 2.0, 30.0
"""Seconds between two trials to deliver: at first, and at most."""
SHARE = 20
"""A trial may take this part of the time until the next, so that a store that hangs does not hold up training."""
LAST_SECONDS = 10.0
"""How long delivery is tried once a run has ended."""


class Delivery:
    """Has a run's operations done in their order, whether its store answers or not.

    Once the store does not answer, everything is kept in a journal until all of it could be delivered, which is tried
    again and again while there is more to say. `owner` is what the journal says of the run.
    """

    def __init__(self, client: MlflowClient, run_id: str, owner: Mapping[str, str]) -> None:
        self.client = client
        self.run_id = run_id
        self.owner = owner
        self._journal: Journal | None = None
        self._done = 0
        self._wait, self._due = PATIENCE[0], 0.0

    def send(self, operation: Operation, content: bytes | None = None) -> None:
        """Have an operation done, or kept where the store does not answer.

        Raises TrackingError where the store refuses it, or where neither the store nor the disk takes it.
        """
        if self._journal is None:
            try:
                perform(self.client, self.run_id, operation, content)
                return
            except UnreachableError as error:
                self._begin(error)
        assert self._journal
        try:
            self._journal.keep(operation, content)
        except OSError as error:
            raise TrackingError(f"{self._journal.folder} cannot be written either: {error.strerror}") from None
        if time.monotonic() >= self._due:
            self._try()

    def say(self, operation: Operation) -> None:
        """Have an operation done that matters now or not at all; raise TrackingError where it is not."""
        if self._journal is None:
            perform(self.client, self.run_id, operation)

    def finish(self) -> None:
        """Try for some seconds to deliver what is kept, and say how it can be delivered if that fails."""
        until = time.monotonic() + LAST_SECONDS
        while self._journal and not self._try() and time.monotonic() < until:
            time.sleep(0.5)
        if self._journal:
            log.warning(
                "%s: the store still does not answer. When it does, deliver what is kept by:\n%s",
                self.owner["name"],
                deliver_command(self._journal.folder),
            )

    def _begin(self, error: UnreachableError) -> None:
        try:
            self._journal = Journal.begin(self.run_id, self.owner)
        except OSError as failure:
            raise TrackingError(f"{error}; and no journal can be kept: {failure.strerror}") from None
        self._done, self._wait = 0, PATIENCE[0]
        self._due = time.monotonic() + self._wait
        log.warning(
            "%s: the store does not answer (%s). The run goes on; what it records is kept in %s",
            self.owner["name"],
            error,
            self._journal.folder,
        )

    def _try(self) -> bool:
        """Deliver what is kept, if the store takes it, and say whether it did."""
        assert self._journal
        began = time.monotonic()
        try:
            for number, operation, content in self._journal.operations(self._done):
                perform(self.client, self.run_id, operation, content)
                self._done = number
        except UnreachableError:
            now = time.monotonic()
            self._wait = min(2 * self._wait, PATIENCE[1])
            self._due = now + max(self._wait, SHARE * (now - began))
            return False
        self._journal.remove()
        self._journal = None
        log.info("%s: the store answers again, and has everything", self.owner["name"])
        return True


def deliver_command(folder: Path) -> str:
    """Return the command that delivers a journal."""
    return f"python -m lenet.deliver {folder}"
