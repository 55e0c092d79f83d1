"""What is logged arrives once, in order, with a true status; addresses are checked, passwords masked."""

import json
import logging
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient, get_tracking_uri

from lenet.errors import UserError
from lenet.tracking import process, run
from lenet.tracking.address import mask, sqlite_path, tracking_uri
from lenet.tracking.run import Run, TrackingError
from lenet.tracking.store import Store

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
def store(uri: str) -> Store:
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


def artifacts(client: MlflowClient, run: Run) -> Path:
    return Path(client.get_run(run.id).info.artifact_uri)


def calls(monkeypatch: pytest.MonkeyPatch, method: str) -> list[Any]:
    """Record the sizes of the batches that are sent."""
    sent: list[Any] = []
    original = getattr(MlflowClient, method)

    def recording(self: MlflowClient, *arguments: Any, **keywords: Any) -> Any:
        sent.append(keywords)
        return original(self, *arguments, **keywords)

    monkeypatch.setattr(MlflowClient, method, recording)
    return sent


class TestAddress:
    def test_the_default_is_the_one_of_a_bare_mlflow_ui(self, folder: Path) -> None:
        (folder / "mlruns" / "hydra" / "2026-11-23").mkdir(parents=True)
        assert tracking_uri() == f"sqlite:///{folder}/mlflow.db" == get_tracking_uri()

    def test_the_key_comes_before_the_environment_and_that_before_the_default(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
        assert tracking_uri() == "http://host:5000"
        assert tracking_uri("https://other") == "https://other"

    @pytest.mark.parametrize("name", ["runs.db", "a folder/größe.db"])
    def test_a_relative_file_is_made_absolute(self, folder: Path, name: str) -> None:
        assert tracking_uri(f"sqlite:///{name}") == f"sqlite:///{folder}/{name}"
        assert sqlite_path(tracking_uri(f"sqlite:///{name}")) == folder / name

    def test_an_absolute_file_stays(self, folder: Path) -> None:
        assert tracking_uri("sqlite:////a/b.db?timeout=9") == "sqlite:////a/b.db?timeout=9"
        assert sqlite_path("sqlite:////a/b.db?timeout=9") == Path("/a/b.db")

    @pytest.mark.parametrize(
        ("uri", "said"),
        [
            ("sqlit:///x.db", "Did you mean `sqlite`?"),
            ("mlruns", "is a folder or a file"),
            ("./mlruns", "is a folder or a file"),
            ("file:///tmp/mlruns", "is a folder or a file"),
            ("", "is a folder or a file"),
            ("sqlite://mlflow.db", "names no file"),
            ("sqlite://", "names no file"),
            ("sqlite:///:memory:", "names no file"),
            ("http://", "names no host"),
            ("http://host:port", "names no host, or no valid port"),
            ("http://u:secret@host:99999", "names no host, or no valid port"),
            ("s3://bucket", "unknown scheme `s3`"),
        ],
    )
    def test_what_is_no_store_is_refused_with_what_is_accepted(self, folder: Path, uri: str, said: str) -> None:
        with pytest.raises(UserError) as caught:
            tracking_uri(uri)
        assert str(caught.value).startswith(f"tracking.uri: `{mask(uri)}`")
        assert said in str(caught.value)
        assert "Accepted: `sqlite:///FILE`" in str(caught.value)
        assert "secret" not in str(caught.value)

    def test_a_wrong_environment_variable_is_named(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "mlruns")
        with pytest.raises(UserError, match=r"^MLFLOW_TRACKING_URI: `mlruns`"):
            tracking_uri()

    @pytest.mark.parametrize("name", ["a%20b", "a?b"])
    def test_a_folder_that_no_address_can_name_is_refused(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        (folder / name).mkdir()
        monkeypatch.chdir(folder / name)
        with pytest.raises(UserError, match=r"mlflow\.db` has a `[%?]` in it"):
            tracking_uri()

    def test_an_old_file_store_in_the_folder_is_refused(self, folder: Path) -> None:
        (folder / "mlruns" / "0").mkdir(parents=True)
        (folder / "mlruns" / "0" / "meta.yaml").touch()
        with pytest.raises(UserError, match="old file store"):
            tracking_uri()
        assert tracking_uri("sqlite:///mlflow.db")

    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("http://user:secret@host:5000/a", "http://***@host:5000/a"),
            ("https://secret@host", "https://***@host"),
            ("postgresql+psycopg2://u:sec@ret@host/db", "postgresql+psycopg2://***@host/db"),
            ("mysql://u:sec/ret@host/db", "mysql://***@host/db"),
            (
                "postgresql://host/db?user=u&password=secret&x=1",
                "postgresql://host/db?user=u&password=***&x=1",
            ),
            ("uri: http://u:secret@a\nnext: 'http://u:secret@b'", "uri: http://***@a\nnext: 'http://***@b'"),
            ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
            ("http://host:5000/a@b", "http://host:5000/a@b"),
            ("write to a@b.org: it is 3:1", "write to a@b.org: it is 3:1"),
        ],
    )
    def test_users_and_passwords_are_masked_and_nothing_else(self, text: str, masked: str) -> None:
        assert mask(text) == masked


class TestOpening:
    def test_several_processes_that_start_on_an_empty_folder_at_once_all_succeed(self, folder: Path) -> None:
        home = str(Path(__file__).parents[1])
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


class TestStart:
    def test_parameters_are_written_as_they_are_in_yaml(self, store: Store, client: MlflowClient) -> None:
        params = {"optimizer.lr": 1e-06, "a": None, "b": True, "c": False, "d": 3, "e": "text", "f": ""}
        run = store.start_run("a", params=params)
        run.close("FINISHED")
        found = client.get_run(run.id).data.params
        texts = ["1e-06", "null", "true", "false", "3", "text", ""]
        assert found == dict(zip(params, texts, strict=True))

    def test_more_parameters_than_a_batch_holds_all_arrive(self, store: Store, client: MlflowClient) -> None:
        run = store.start_run("a", params={f"p{n}": n for n in range(250)})
        run.close("FINISHED")
        assert client.get_run(run.id).data.params == {f"p{n}": str(n) for n in range(250)}

    def test_a_long_value_is_cut_and_says_so(self, store: Store, client: MlflowClient) -> None:
        run = store.start_run("a", params={"p": "x" * 6001, "q": "y" * 6000}, tags={"t": "z" * 9000})
        run.close("FINISHED")
        data = client.get_run(run.id).data
        assert data.params == {"p": "x" * 5999 + "…", "q": "y" * 6000}
        assert data.tags["t"] == "z" * 7999 + "…"

    def test_passwords_reach_no_parameter_tag_or_text(self, store: Store, client: MlflowClient) -> None:
        address = "postgresql://user:secret@host/db"
        run = store.start_run("a", params={"tracking.uri": address}, tags={"t": address})
        run.set_tag("u", address)
        run.log_text(f"uri: {address}\n", "config/config.yaml")
        run.close("FINISHED")
        data = client.get_run(run.id).data
        text = (artifacts(client, run) / "config" / "config.yaml").read_text()
        assert {data.params["tracking.uri"], data.tags["t"], data.tags["u"], text[5:-1]} == {"postgresql://***@host/db"}

    def test_the_tags_that_the_ui_shows_are_set(self, store: Store, client: MlflowClient) -> None:
        parent = store.start_run("sweep", kind="sweep")
        child = store.start_run("lr=0.1", kind="job", parent=parent.id, commit="abc123", tags={"mine": 1})
        tags = client.get_run(child.id).data.tags
        assert tags["mlflow.runName"] == "lr=0.1"
        assert tags["mlflow.parentRunId"] == parent.id
        assert tags["mlflow.source.git.commit"] == "abc123"
        assert tags["mlflow.source.type"] == "LOCAL"
        assert tags["mlflow.source.name"]
        assert tags["mlflow.user"]
        assert (tags["lenet.kind"], tags["mine"]) == ("job", "1")
        assert client.get_run(parent.id).data.tags["lenet.kind"] == "sweep"
        child.close("FINISHED")
        parent.close("FINISHED")

    def test_the_data_set_is_recorded(self, store: Store, client: MlflowClient) -> None:
        run = store.start_run("a", dataset=("mnist_5k", "ab" * 32, "/data/mnist_5k.csv.gz"))
        run.close("FINISHED")
        inputs = client.get_run(run.id).inputs
        assert inputs is not None
        (found,) = inputs.dataset_inputs
        assert (found.dataset.name, found.dataset.digest) == ("mnist_5k", "ab" * 18)
        assert json.loads(found.dataset.source) == {"uri": "/data/mnist_5k.csv.gz"}
        assert [(tag.key, tag.value) for tag in found.tags] == [("mlflow.data.context", "train")]

    def test_a_run_that_cannot_be_begun_is_not_left_running(self, store: Store, client: MlflowClient) -> None:
        with pytest.raises(TrackingError):
            store.start_run("a", params={"not = a name": 1})
        (found,) = client.search_runs([store.experiment_id])
        assert found.info.status == "FAILED"


class TestMetrics:
    def test_all_metrics_arrive_one_point_per_step_in_order(self, store: Store, client: MlflowClient) -> None:
        run = store.start_run("a")
        for epoch in range(1, 301):
            run.log_metrics({f"m{n}": epoch + n / 10 for n in range(7)}, epoch)
        run.close("FINISHED")
        for n in range(7):
            points = client.get_metric_history(run.id, f"m{n}")
            assert [(p.step, p.value) for p in points] == [(e, e + n / 10) for e in range(1, 301)]

    def test_a_point_has_the_time_of_its_call(self, store: Store, client: MlflowClient) -> None:
        run = store.start_run("a")
        before = time.time()
        run.log_metrics({"m": 1}, 1)
        after = time.time()
        time.sleep(0.05)
        run.close("FINISHED")
        (point,) = client.get_metric_history(run.id, "m")
        assert math.floor(before * 1000) <= point.timestamp <= after * 1000

    def test_metrics_wait_for_their_turn(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        sent = calls(monkeypatch, "log_batch")
        run = store.start_run("a")
        run.flush_seconds = 1e9
        for epoch in range(250):
            run.log_metrics(dict.fromkeys("abcd", 1.0), epoch)
        assert [len(batch["metrics"]) for batch in sent] == [900]
        run.flush_seconds = 0
        run.log_metrics({"a": 1.0}, 250)
        assert [len(batch["metrics"]) for batch in sent] == [900, 101]
        run.log_metrics({"a": 1.0}, 251)
        assert len(sent) == 3
        run.close("FINISHED")
        assert len(sent) == 3

    def test_what_could_not_be_sent_is_sent_again_and_kept_once(
        self, store: Store, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = MlflowClient.log_batch

        def taken_but_not_confirmed(self: MlflowClient, *arguments: Any, **keywords: Any) -> None:
            original(self, *arguments, **keywords)
            raise MlflowException("connection to http://user:secret@host lost")

        run = store.start_run("a")
        run.log_metrics({"m": 1.0}, 1)
        monkeypatch.setattr(MlflowClient, "log_batch", taken_but_not_confirmed)
        with pytest.raises(TrackingError, match=r"http://\*\*\*@host lost"):
            run.flush()
        monkeypatch.setattr(MlflowClient, "log_batch", original)
        run.log_metrics({"m": 2.0}, 2)
        run.close("FINISHED")
        assert [(p.step, p.value) for p in client.get_metric_history(run.id, "m")] == [(1, 1.0), (2, 2.0)]

    def test_nan_and_infinity_survive(self, store: Store) -> None:
        parent = store.start_run("sweep")
        run = store.start_run("a", parent=parent.id)
        run.log_metrics({"nan": math.nan, "up": math.inf, "down": -math.inf}, 1)
        run.close("FINISHED")
        parent.close("FINISHED")
        (record,) = store.children(parent.id)
        assert math.isnan(record.metrics["nan"])
        assert (record.metrics["up"], record.metrics["down"]) == (math.inf, -math.inf)


class TestArtifacts:
    def test_texts_and_bytes_lie_under_their_names(self, store: Store, client: MlflowClient) -> None:
        run = store.start_run("a")
        run.log_text("größer", "config/config.yaml")
        run.log_bytes(b"\0", "checkpoints/last.npz")
        run.log_bytes(b"a png", "figures/curves.png")
        run.log_text("{}", "environment.json")
        run.close("FINISHED")
        root = artifacts(client, run)
        assert {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()} == {
            "config/config.yaml": "größer".encode(),
            "checkpoints/last.npz": b"\0",
            "figures/curves.png": b"a png",
            "environment.json": b"{}",
        }
        assert [f.path for f in client.list_artifacts(run.id, "figures")] == ["figures/curves.png"]

    def test_a_reader_sees_the_old_artifact_or_the_new_one_whole(self, store: Store, client: MlflowClient) -> None:
        run = store.start_run("a")
        size = 200_000
        run.log_bytes(b"0" * size, "checkpoints/last.npz")
        path = artifacts(client, run) / "checkpoints" / "last.npz"
        seen: list[bytes] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                seen.append(path.read_bytes())

        reader = threading.Thread(target=read)
        reader.start()
        for n in range(50):
            run.log_bytes(b"%d" % (n % 10) * size, "checkpoints/last.npz")
        done.set()
        reader.join()
        run.close("FINISHED")
        assert len(seen) > 10
        assert all(data == data[:1] * size for data in seen)
        assert os.listdir(path.parent) == ["last.npz"]

    def test_a_replacement_that_fails_leaves_the_old_artifact(
        self, store: Store, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = store.start_run("a")
        run.log_bytes(b"old", "last.npz")

        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                run.log_bytes(b"new", "last.npz")
        root = artifacts(client, run)
        assert os.listdir(root) == ["last.npz"]
        assert (root / "last.npz").read_bytes() == b"old"
        run.close("FAILED")

    def test_artifacts_of_a_store_that_is_not_here_are_uploaded(
        self, store: Store, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun = store.start_run("a")
        far = Run(client, begun.id, "a", "mlflow-artifacts:/1/a")
        far.log_bytes(b"data", "checkpoints/last.npz")
        far.log_text("text", "environment.json")
        root = artifacts(client, begun)
        assert (root / "checkpoints" / "last.npz").read_bytes() == b"data"
        assert (root / "environment.json").read_bytes() == b"text"
        begun.close("FINISHED")

    @pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../../x"])
    def test_no_name_leads_out_of_the_artifacts(self, store: Store, name: str) -> None:
        run = store.start_run("a")
        with pytest.raises(ValueError, match="inside the run's artifacts"):
            run.log_bytes(b"", name)
        run.close("FINISHED")

    def test_an_address_of_a_local_folder_is_understood(self) -> None:
        assert run._local_folder("/a b/c") == run._local_folder("/a%20b/c") == Path("/a b/c")
        assert run._local_folder("file:///a%20b/c") == Path("/a b/c")
        assert run._local_folder("s3://bucket/c") is None


class TestClose:
    @pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
    def test_a_run_has_the_status_that_it_is_closed_with(self, store: Store, client: MlflowClient, status: Any) -> None:
        run = store.start_run("a")
        assert client.get_run(run.id).info.status == "RUNNING"
        run.log_metrics({"m": 1.0}, 1)
        run.close(status)
        found = client.get_run(run.id)
        assert found.info.status == status
        assert found.info.end_time >= found.info.start_time
        assert found.data.metrics == {"m": 1.0}

    def test_the_first_close_counts(self, store: Store, client: MlflowClient) -> None:
        run = store.start_run("a")
        run.close("KILLED")
        end = client.get_run(run.id).info.end_time
        run.close("FINISHED")
        assert (client.get_run(run.id).info.status, client.get_run(run.id).info.end_time) == ("KILLED", end)

    @pytest.mark.parametrize(
        "write",
        [
            lambda run: run.log_metrics({"m": 1.0}, 1),
            lambda run: run.log_params({"p": 1}),
            lambda run: run.set_tag("t", 1),
            lambda run: run.log_text("", "a.txt"),
            lambda run: run.flush(),
        ],
    )
    def test_nothing_is_written_after_it(
        self, store: Store, client: MlflowClient, write: Callable[[Run], None]
    ) -> None:
        run = store.start_run("a")
        run.close("FINISHED")
        before = client.get_run(run.id).to_dictionary()
        with pytest.raises(RuntimeError, match="is closed"):
            write(run)
        assert client.get_run(run.id).to_dictionary() == before
        assert not artifacts(client, run).exists()

    def test_the_status_is_set_even_if_the_last_metrics_are_lost(
        self, store: Store, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lost(*_: Any, **__: Any) -> None:
            raise MlflowException("lost")

        run = store.start_run("a")
        run.log_metrics({"m": 1.0}, 1)
        monkeypatch.setattr(MlflowClient, "log_batch", lost)
        with pytest.raises(TrackingError, match="lost"):
            run.close("FAILED")
        assert client.get_run(run.id).info.status == "FAILED"


class TestChildren:
    def test_only_the_children_are_returned_over_any_number_of_pages(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lenet.tracking.store.PAGE", 2)
        parent = store.start_run("sweep", kind="sweep")
        other = store.start_run("another run")
        names = [f"lr={n}" for n in range(5)]
        for name in names:
            child = store.start_run(name, kind="job", parent=parent.id, params={"lr": name}, tags={"t": name})
            child.log_metrics({"m": 1.0}, 1)
            child.log_metrics({"m": 2.0}, 2)
            child.close("FAILED")
        records = store.children(parent.id)
        assert {(r.name, r.params["lr"], r.tags["t"]) for r in records} == {(n, n, n) for n in names}
        assert [r.start for r in records] == sorted(r.start for r in records)
        assert {(r.status, r.metrics["m"]) for r in records} == {("FAILED", 2.0)}
        assert all(r.end is not None and r.end >= r.start for r in records)
        assert store.children(other.id) == []
        other.close("FINISHED")
        parent.close("FINISHED")


class TestProcess:
    def test_a_run_names_its_process(self, store: Store, client: MlflowClient) -> None:
        run = store.start_run("a")
        run.close("FINISHED")
        tags = client.get_run(run.id).data.tags
        assert int(tags["lenet.pid"]) == os.getpid()
        assert tags["lenet.process_start"] == process.process_start(os.getpid()) != ""

    def test_a_process_keeps_its_start_and_a_dead_one_has_none(self) -> None:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        start = process.process_start(child.pid)
        assert start is not None
        assert start == process.process_start(child.pid)
        child.kill()
        # Dead but not yet waited for by its parent, too.
        for _ in range(100):
            if process.process_start(child.pid) is None:
                break
            time.sleep(0.01)
        assert process.process_start(child.pid) is None
        child.communicate()
        assert process.process_start(child.pid) is None


def test_a_data_set_that_another_run_adds_at_the_same_moment_is_recorded_by_both(
    store: Store, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = store.start_run("slow"), store.start_run("fast")
    wanted = ("digits", "0" * 36, "file:///digits.npz")
    log_inputs, tries = MlflowClient.log_inputs, []

    def overtaken(self: MlflowClient, run_id: str, *arguments: Any, **options: Any) -> None:
        tries.append(run_id)
        if tries == [slow.id]:
            fast.log_dataset(*wanted)
            raise MlflowException("(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.experiment_id")
        log_inputs(self, run_id, *arguments, **options)

    monkeypatch.setattr(MlflowClient, "log_inputs", overtaken)
    slow.log_dataset(*wanted)
    assert tries == [slow.id, fast.id, slow.id]
    for run_id in (slow.id, fast.id):
        (seen,) = client.get_run(run_id).inputs.dataset_inputs
        assert seen.dataset.name == "digits"


def test_a_data_set_that_cannot_be_recorded_is_not_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def fails(*arguments: Any, **options: Any) -> None:
        tries.append(arguments)
        raise MlflowException("disk full")

    monkeypatch.setattr(MlflowClient, "log_inputs", fails)
    with pytest.raises(TrackingError, match="disk full"):
        store.start_run("run").log_dataset("digits", "0", "file:///digits.npz")
    assert len(tries) == 1
