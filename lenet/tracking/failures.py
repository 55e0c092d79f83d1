"""What goes wrong with a store: told in one line without a password, and whether it may go right later."""

import logging
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy
from mlflow.exceptions import MlflowException

from lenet.errors import Failure
from lenet.tracking.address import mask

# MLflow itself tries for minutes where nothing answers: 7 times a server, 10 times a database.
BRIEF = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
CONTACT_SECONDS = 5
CONTACT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(CONTACT_SECONDS)}
# A server's runs are otherwise announced on standard output, password and all.
SILENCE = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
# They tell on standard error, with tracebacks, what arrives as an exception anyway.
TALKATIVE = ("mlflow.store.db.utils", "urllib3.connectionpool")

PASSING = (408, 429, 502, 503, 504)
"""HTTP's codes for a request that may succeed later."""
OUTAGES = (
    OSError,
    sqlite3.OperationalError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.TimeoutError,
)
"""What is raised where a connection, a database or a disk fails; that of `requests` is an OSError too."""


class TrackingError(Failure):
    """The store did not take, or did not give, what a run needed; the message holds no password."""


class StoreAway(TrackingError):
    """The store does not answer, or cannot write: the same request may succeed later."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn what MLflow raises into TrackingError, and into StoreAway where the request itself is not to blame.

    What does not answer is not asked for minutes, and MLflow's own words about it are kept off the terminal.
    """
    # An exception that is being handled already is the context of all that is raised within, but not its cause.
    handled = sys.exc_info()[1]
    try:
        with defaults(BRIEF), _hushed():
            yield
    except (MlflowException, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        kind = StoreAway if is_away(error, handled) else TrackingError
        # `from None`: the original's text can hold the address with its password.
        raise kind(reason(error, handled)) from None


def is_away(error: BaseException, handled: BaseException | None = None) -> bool:
    """Say whether a failure is the store's, for now, and not the request's; `handled` is no part of it."""
    causes = list(_causes(error, handled))
    for cause in causes:
        response = getattr(cause, "response", None)
        if response is not None:  # an artifact that a server has refused
            return _may_pass(int(response.status_code))
    if any(isinstance(cause, OUTAGES) for cause in causes):
        return True
    if not isinstance(error, MlflowException):
        return False
    status = int(error.get_http_status_code())  # type: ignore[no-untyped-call]
    # MLflow calls an exception within this process an internal error too, but that one has a cause.
    return status in PASSING or (_may_pass(status) and len(causes) == 1)


def _may_pass(status: int) -> bool:
    return status in PASSING or status >= 500


def _causes(error: BaseException, handled: BaseException | None) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None and found is not handled:
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def reason(error: BaseException, handled: BaseException | None = None) -> str:
    """Return the shortest true account of a failure: its innermost cause, in one line, with passwords masked.

    `handled` was being handled when it happened, and is no cause of it.
    """
    *_, innermost = _causes(error, handled)
    line = " ".join(str(innermost).split()) or type(innermost).__name__
    line = mask(line)  # before it is cut, perhaps between a password and its @
    return line if len(line) <= 400 else line[:400] + "…"


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
def _hushed() -> Iterator[None]:
    # `logging.disable` would silence this project too, and takes a walk through all loggers.
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
