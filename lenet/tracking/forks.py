"""Connections to a database belong to the process that opened them: one that is forked must open its own."""

import os
from typing import Any

import sqlalchemy
from sqlalchemy.pool import Pool


def leave_connections_to_the_parent() -> None:
    """Have every engine of this process and of those forked from it use a connection only where it was opened.

    The recipe is SQLAlchemy's: "Using Connection Pools with Multiprocessing or os.fork()". A connection of the parent
    is dropped, not closed, which would end it for the parent too.
    """
    if not sqlalchemy.event.contains(Pool, "checkout", _check):
        sqlalchemy.event.listen(Pool, "connect", _remember)
        sqlalchemy.event.listen(Pool, "checkout", _check)


def _remember(connection: Any, record: Any) -> None:
    record.info["lenet.pid"] = os.getpid()


def _check(connection: Any, record: Any, proxy: Any) -> None:
    if record.info.get("lenet.pid", os.getpid()) != os.getpid():
        record.dbapi_connection = proxy.dbapi_connection = None
        raise sqlalchemy.exc.DisconnectionError("this connection was opened by another process")
