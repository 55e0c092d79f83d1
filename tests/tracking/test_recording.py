"""What is logged arrives once, in order, under its name, with a true status."""

import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import INVALID_PARAMETER_VALUE, MlflowException
from mlflow.tracking import MlflowClient

from lenet.tracking.failures import TrackingError
from lenet.tracking.run import Run
from lenet.tracking.sender import local_folder
from lenet.tracking.store import Store
from tests.tracking.helpers import artifacts, calls


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

    def test_what_was_refused_is_sent_again_and_kept_once(
        self, store: Store, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = MlflowClient.log_batch

        def taken_but_refused(self: MlflowClient, *arguments: Any, **keywords: Any) -> None:
            original(self, *arguments, **keywords)
            raise MlflowException("http://user:secret@host is wrong", INVALID_PARAMETER_VALUE)

        run = store.start_run("a")
        run.log_metrics({"m": 1.0}, 1)
        monkeypatch.setattr(MlflowClient, "log_batch", taken_but_refused)
        with pytest.raises(TrackingError, match=r"http://\*\*\*@host is wrong"):
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
            with pytest.raises(TrackingError, match=r"last\.npz cannot be written \(.*No space.*undelivered"):
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

    def test_an_address_of_alocal_folder_is_understood(self) -> None:
        assert local_folder("/a b/c") == local_folder("/a%20b/c") == Path("/a b/c")
        assert local_folder("file:///a%20b/c") == Path("/a b/c")
        assert local_folder("s3://bucket/c") is None


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
            raise MlflowException("lost", INVALID_PARAMETER_VALUE)

        run = store.start_run("a")
        run.log_metrics({"m": 1.0}, 1)
        monkeypatch.setattr(MlflowClient, "log_batch", lost)
        with pytest.raises(TrackingError, match="lost"):
            run.close("FAILED")
        assert client.get_run(run.id).info.status == "FAILED"
