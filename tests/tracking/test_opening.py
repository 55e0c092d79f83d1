"""A store is opened quietly, at once, and by any number of processes; what is none is refused."""

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from lenet.errors import UserError
from lenet.tracking.store import Store
from tests.tracking.helpers import artifacts

# Four processes (forked, so that MLflow is imported once) that open the same store at the same moment.
FOUR_AT_ONCE = """
import os, time
from lenet.tracking.address import tracking_uri
from lenet.tracking.store import Store

moment = time.monotonic() + 0.2
children = []
for number in range(4):
    children.append(os.fork())
    if children[-1] == 0:
        time.sleep(max(0, moment - time.monotonic()))
        run = Store(tracking_uri(), "lenet").start_run(f"run {number}")
        run.log_metrics({"val/loss": 0.5}, 1)
        run.close("FINISHED")
        os._exit(0)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
"""


class TestOpening:
    @pytest.mark.slow
    def test_several_processes_that_start_on_an_empty_folder_at_once_all_succeed(self, folder: Path) -> None:
        home = str(Path(__file__).parents[2])
        done = subprocess.run(
            [sys.executable, "-c", FOUR_AT_ONCE],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": home},
        )
        # Nothing is printed, by MLflow's first migration either.
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
        client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
        (experiment,) = [e for e in client.search_experiments() if e.name == "lenet"]
        runs = client.search_runs([experiment.experiment_id])
        assert [(r.info.status, r.data.metrics) for r in runs] == [("FINISHED", {"val/loss": 0.5})] * 4
        assert sorted(os.listdir(folder)) == ["mlflow.db"]

    def test_an_experiment_is_made_once(self, uri: str) -> None:
        assert Store(uri, "lenet").experiment_id == Store(uri, "lenet").experiment_id

    def test_artifacts_lie_beside_the_database_wherever_the_process_is(
        self, store: Store, client: MlflowClient, tmp_path: Path
    ) -> None:
        run = store.start_run("a")
        assert artifacts(client, run) == tmp_path / "mlruns" / store.experiment_id / run.id / "artifacts"
        run.close("FINISHED")

    @pytest.mark.parametrize("name", ["a b", "größe"])
    def test_what_is_written_in_an_odd_folder_is_found_by_mlflow(
        self, migrated: Path, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).mkdir()
        shutil.copy(migrated, tmp_path / name / "mlflow.db")
        uri = f"sqlite:///{tmp_path / name}/mlflow.db"
        run = Store(uri, "lenet").start_run("a")
        run.log_text("text", "a.txt")
        run.close("FINISHED")
        assert [file.path for file in MlflowClient(uri).list_artifacts(run.id)] == ["a.txt"]

    def test_folders_on_the_way_are_made(self, tmp_path: Path) -> None:
        assert Store(f"sqlite:///{tmp_path}/a/b/mlflow.db", "lenet").experiment_id
        assert os.listdir(tmp_path / "a" / "b") == ["mlflow.db"]

    def test_remains_of_a_killed_first_opening_do_not_matter(self, migrated: Path) -> None:
        assert os.listdir(migrated.parent) == ["mlflow.db"]

    def test_logging_is_as_it_was(self, uri: str) -> None:
        before = (logging.root.handlers[:], logging.root.level, logging.root.manager.disable)
        Store(uri, "lenet")
        assert (logging.root.handlers, logging.root.level, logging.root.manager.disable) == before

    def test_a_file_that_is_no_database_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").write_text("not a database, but long enough to be looked at as one" * 20)
        with pytest.raises(UserError, match=rf"sqlite:///{tmp_path}/mlflow.db.*file is not a database"):
            Store(f"sqlite:///{tmp_path}/mlflow.db", "lenet")

    def test_a_folder_in_place_of_the_database_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="unable to open database file"):
            Store(f"sqlite:///{tmp_path}", "lenet")

    def test_a_place_that_cannot_be_written_is_refused(
        self, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Root, who runs tests in containers, can write everywhere.
        monkeypatch.setattr(os, "access", lambda *_: False)
        with pytest.raises(UserError, match=f"{tmp_path} is not writable"):
            Store(uri, "lenet")

    def test_a_path_through_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match=r"File exists|Not a directory"):
            Store(f"sqlite:///{tmp_path}/file/mlflow.db", "lenet")

    def test_a_store_of_another_version_is_refused_with_the_reason(self, uri: str, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "mlflow.db") as connection:
            connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
        connection.close()
        with pytest.raises(UserError, match="out-of-date database schema"):
            Store(uri, "lenet")

    def test_a_deleted_experiment_is_named(self, uri: str, store: Store, client: MlflowClient) -> None:
        client.delete_experiment(store.experiment_id)
        with pytest.raises(UserError, match=r"tracking\.experiment: `lenet` was deleted"):
            Store(uri, "lenet")

    def test_a_server_that_is_not_there_is_refused_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        before = dict(os.environ)
        start = time.perf_counter()
        with pytest.raises(UserError) as caught:
            Store("http://user:secret@127.0.0.1:9", "lenet")
        assert "`http://***@127.0.0.1:9` cannot be opened: [Errno 111] Connection refused" in str(caught.value)
        assert caught.value.__suppress_context__  # whose text has the password
        assert time.perf_counter() - start < 5
        assert dict(os.environ) == before

    def test_a_database_without_its_driver_is_refused_at_once(self) -> None:
        with pytest.raises(UserError, match=r"`postgresql\+nosuch://\*\*\*@127.0.0.1:9/db` cannot be opened"):
            Store("postgresql+nosuch://user:secret@127.0.0.1:9/db", "lenet")
