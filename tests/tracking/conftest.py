"""What the tests of tracking share: a store that is there already, and a client that looks at it from outside."""

import logging
import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from lenet.tracking.run import Run
from lenet.tracking.store import Store
from tests.tracking.outage import Line


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite store with MLflow's tables and nothing of ours, to be copied: making it takes a second.

    It is made where an earlier process was killed while it made one.
    """
    path = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    (path.parent / ".mlflow.db.new").write_bytes(b"half a database")
    (path.parent / ".mlflow.db.new-journal").write_bytes(b"half a journal")
    Store(f"sqlite:///{path}", "not ours")
    return path


@pytest.fixture
def uri(migrated: Path, tmp_path: Path) -> str:
    shutil.copy(migrated, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def store(uri: str, folder: Path) -> Store:
    return Store(uri, "lenet")


@pytest.fixture
def client(uri: str) -> MlflowClient:
    return MlflowClient(uri)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, with no address in the environment."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


@pytest.fixture
def run(store: Store, line: Line, caplog: pytest.LogCaptureFixture) -> Run:
    caplog.set_level(logging.INFO, "lenet")
    run = store.start_run("mine", params={"seed": 0})
    run.flush_seconds = 0
    return run
