"""Faults of a store are told from those of a request."""

import errno
import sqlite3

import pytest
import requests
from mlflow.exceptions import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, MlflowException, RestException

from lenet.tracking.failures import StoreAway, TrackingError, is_away, translated
from tests.tracking.outage import database


def _answer(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("refused", response=response)


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (requests.ConnectionError("refused"), True),
        (requests.Timeout("slow"), True),
        (OSError(errno.ENOSPC, "full"), True),
        (database("database is locked"), True),
        (database("database or disk is full"), True),
        (sqlite3.OperationalError("database is locked"), True),
        (MlflowException("API request failed with exception"), True),
        (RestException({"error_code": "INTERNAL_ERROR", "message": "x"}), True),
        (RestException({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "x"}), True),
        (RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "x"}), False),
        (MlflowException("wrong", INVALID_PARAMETER_VALUE), False),
        (MlflowException("no run", RESOURCE_DOES_NOT_EXIST), False),
        (_answer(503), True),
        (_answer(500), True),
        (_answer(403), False),
        (sqlite3.DatabaseError("file is not a database"), False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_fault_of_the_store_is_told_from_one_of_the_request(error: Exception, away: bool) -> None:
    assert is_away(error) is away


def _refuse() -> None:
    raise MlflowException("wrong", INVALID_PARAMETER_VALUE)


def test_what_was_being_handled_already_is_not_taken_for_the_cause() -> None:
    try:
        raise OSError(errno.ENOSPC, "another fault")
    except OSError:
        with pytest.raises(TrackingError, match=r"^wrong$") as caught, translated():
            _refuse()
    assert not isinstance(caught.value, StoreAway)
