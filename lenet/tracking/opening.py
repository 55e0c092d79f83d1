"""Opening a store: quietly, without waiting for minutes, and safely beside other processes."""

import hashlib
import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from filelock import FileLock
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient

from lenet.errors import UserError
from lenet.tracking.address import SERVERS, mask, sqlite_path
from lenet.tracking.failures import CONTACT, CONTACT_SECONDS, defaults, reason
from lenet.tracking.forks import leave_connections_to_the_parent

TURN_SECONDS = 120.0


def reach_store(uri: str) -> MlflowClient:
    """Return a client of the store at `uri`, which must exist: nothing is made.

    Raises UserError with the masked address and the reason.
    """
    path = sqlite_path(uri)
    if path and not path.is_file():
        raise UserError(
            f"tracking.uri: there is no store at {path}: nothing has been recorded there. Go to the folder where the "
            "runs were started, or name their store: tracking.uri=sqlite:////FOLDER/mlflow.db."
        )
    with _opening(uri):
        if not uri.startswith(SERVERS) and not {"experiments", "runs"} <= _contact(uri):
            # A client would make MLflow's tables in it, whatever it is.
            raise UserError(f"tracking.uri: `{mask(uri)}` is not an MLflow store: it lacks MLflow's tables.")
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        return client


def open_store(uri: str, experiment: str) -> tuple[MlflowClient, str]:
    """Open the store at `uri`, making it and the experiment if need be: a client, the experiment's id.

    Raises UserError with the masked address and the reason.
    """
    with _opening(uri):
        path = sqlite_path(uri)
        if path:
            return _open_sqlite(uri, path, experiment)
        if not uri.startswith(SERVERS):
            _contact(uri)
        client = MlflowClient(uri)
        return client, _experiment_id(client, experiment)


@contextmanager
def _opening(uri: str) -> Iterator[None]:
    """Be quiet and brief about it, and say what went wrong with the masked address."""
    leave_connections_to_the_parent()
    try:
        with _quiet(), defaults(CONTACT):
            yield
    except (MlflowException, sqlalchemy.exc.SQLAlchemyError, OSError, ImportError) as error:
        # `from None`: the original's text can hold the address with its password.
        raise UserError(f"tracking.uri: the store `{mask(uri)}` cannot be opened: {reason(error)}") from None


def _open_sqlite(uri: str, path: Path, experiment: str) -> tuple[MlflowClient, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Relative to nothing: MLflow's own default would be ./mlruns of whoever opens the store first.
    artifacts = str(path.parent / "mlruns")
    for place in (path.parent, path, Path(artifacts)):
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(f"{place} is not writable")
    if Path(artifacts).exists() and not Path(artifacts).is_dir():
        raise NotADirectoryError(f"{artifacts} is not a folder, and is where the runs' artifacts belong")
    with turn(str(path.resolve())):
        if not path.exists():
            _create(path, artifacts)
        _contact(uri)
        experiment_id = _experiment_id(_sqlite_store(uri, artifacts), experiment)
    return MlflowClient(uri), experiment_id


def _create(path: Path, artifacts: str) -> None:
    """Make an empty store.

    MLflow's first migration fails if two processes run it at once, and leaves a broken store behind if it is
    killed. So it runs on another name, and the store appears finished or not at all. Until then nothing of it
    needs to be safe on disk, which spares hundreds of waits for the disk.
    """
    unfinished = path.with_name(f".{path.name}.new")
    for left in (unfinished, unfinished.with_name(unfinished.name + "-journal")):
        left.unlink(missing_ok=True)
    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", _do_not_wait_for_the_disk)
    try:
        _sqlite_store(f"sqlite:///{unfinished}", artifacts).engine.dispose()
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "connect", _do_not_wait_for_the_disk)
    with open(unfinished, "rb") as file:
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def _do_not_wait_for_the_disk(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def _sqlite_store(uri: str, artifacts: str) -> SqlAlchemyStore:
    return SqlAlchemyStore(uri, artifacts)  # type: ignore[no-untyped-call]


def _contact(uri: str) -> set[str]:
    """Return the database's tables; raise at once what MLflow would repeat for minutes: no driver, no answer."""
    patience = {} if uri.startswith(("sqlite", "mssql")) else {"connect_timeout": CONTACT_SECONDS}
    engine = sqlalchemy.create_engine(uri, connect_args=patience)
    try:
        return set(sqlalchemy.inspect(engine).get_table_names())
    finally:
        engine.dispose()


def _experiment_id(store: MlflowClient | SqlAlchemyStore, name: str) -> str:
    found = store.get_experiment_by_name(name)
    if found is None:
        try:
            return str(store.create_experiment(name))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = store.get_experiment_by_name(name)  # another process was faster
    if found is None or found.lifecycle_stage != "active":
        raise UserError(
            f"tracking.experiment: `{name}` was deleted from this store. Restore it "
            f"(`mlflow experiments restore --experiment-id {found.experiment_id if found else 'ID'}`) "
            "or choose another name."
        )
    return str(found.experiment_id)


@contextmanager
def turn(thing: str) -> Iterator[None]:
    """Let one process of this user at a time past at `thing`; the lock lies in the folder for temporary files."""
    user = os.getuid() if hasattr(os, "getuid") else ""
    name = hashlib.sha256(thing.encode()).hexdigest()[:16]
    with FileLock(Path(tempfile.gettempdir(), f"lenet-{user}-{name}.lock"), timeout=TURN_SECONDS):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's and Alembic's log lines off the terminal; a failure arrives as an exception anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
