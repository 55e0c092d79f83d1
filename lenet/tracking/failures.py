"""What goes wrong between a run and its store, told in one line without passwords, and whether it may pass."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from lenet.errors import Failure
from lenet.tracking.address import mask

PASSING = frozenset(("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"))
"""MLflow's codes for what is no fault of the request: no answer, one of 500 and above, a locked or full database."""

# MLflow itself tries for minutes where nothing answers: 7 times a server, 10 times a database.
CONTACT_SECONDS = 5
"""Seconds to wait for a store that may not be there at all."""
CONTACT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(CONTACT_SECONDS)}


class TrackingError(Failure):
    """The store did not take, or did not give, what a run needed; the message holds no password."""


class UnreachableError(TrackingError):
    """The store did not answer, or could not do now what was asked; it may later."""


PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""For a store that has answered before; and it need not show how far each file is."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn what MLflow raises into TrackingError, and have it not try for minutes."""
    try:
        with defaults(PATIENCE):
            yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        passes = not isinstance(error, MlflowException) or error.error_code in PASSING
        # `from None`: the original's text can hold the address with its password.
        raise (UnreachableError if passes else TrackingError)(reason(error)) from None


@contextmanager
def defaults(settings: Mapping[str, str]) -> Iterator[None]:
    """Give MLflow's environment variables these values for a while, except those that the user has set."""
    added = {key: value for key, value in settings.items() if key not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for key in added:
            os.environ.pop(key, None)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep MLflow's and Alembic's log lines off the terminal; a failure arrives as an exception anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def reason(error: BaseException) -> str:
    """Return the shortest true account of a failure: its innermost cause, in one line, with passwords
    masked."""
    while inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = inner
    line = " ".join(str(error).split()) or type(error).__name__
    return mask(line if len(line) <= 400 else line[:400] + "…")
