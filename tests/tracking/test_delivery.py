"""What a store does not take is kept on disk, in order, and delivered once it does."""

import errno
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow.exceptions import INVALID_PARAMETER_VALUE, MlflowException
from mlflow.tracking import MlflowClient

from lenet.errors import UserError
from lenet.tracking import delivery, journal, sender
from lenet.tracking.failures import StoreAway, TrackingError
from lenet.tracking.journal import Journal, journals
from lenet.tracking.run import Run
from lenet.tracking.store import Store
from tests.tracking.helpers import artifacts
from tests.tracking.outage import Line, assert_all_there, database, work


class TestWithinARun:
    def test_what_was_not_taken_is_delivered_in_order_once_the_store_answers(
        self, run: Run, line: Line, client: MlflowClient, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        line.cut()
        work(run)
        assert journals() == [journal.PLACE / run.id]
        assert "loss" not in client.get_run(run.id).data.metrics
        line.mend()
        run.beat()
        assert not journal.PLACE.exists()
        assert_all_there(client, run, "RUNNING")
        run.close("FINISHED")
        assert_all_there(client, run, "FINISHED")
        levels = [record.levelname for record in caplog.records if record.name == delivery.__name__]
        assert levels == ["WARNING", "INFO"]
        assert str(folder / journal.PLACE / run.id) in caplog.text

    def test_a_delivery_that_is_cut_off_at_any_point_goes_on_and_doubles_nothing(
        self, run: Run, line: Line, client: MlflowClient
    ) -> None:
        line.cut()
        work(run)
        for calls in (1, 0, 2, 1, 3):
            line.cut(calls)
            run.beat()
            assert journals()
        line.mend()
        run.close("FINISHED")
        assert_all_there(client, run, "FINISHED")
        assert not journal.PLACE.exists()

    def test_what_the_store_took_without_saying_so_is_kept_once(
        self, run: Run, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = MlflowClient.log_batch

        def unconfirmed(client: MlflowClient, *arguments: Any, **options: Any) -> None:
            original(client, *arguments, **options)
            raise MlflowException("the answer was lost")

        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, "log_batch", unconfirmed)
            run.log_metrics({"m": 1.0}, 1)
            assert journals()
        run.close("FINISHED")
        assert [point.step for point in client.get_metric_history(run.id, "m")] == [1]

    @pytest.mark.slow
    def test_points_are_delivered_in_few_large_batches(
        self, run: Run, line: Line, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line.cut()
        for step in range(1000):
            run.log_metrics({"m": float(step)}, step)
        line.cut(2)  # 900 and 100
        run.beat()
        assert not journals()
        line.mend()
        run.close("FINISHED")
        assert [point.step for point in client.get_metric_history(run.id, "m")] == list(range(1000))

    def test_training_does_not_wait_for_a_store_that_was_tried_a_moment_ago(
        self, run: Run, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "LONGEST_WAIT", 5.0)
        run._delivery._wait = 5.0
        line.cut()
        run.set_tag("a", 1)
        line.calls = 0
        for _ in range(10):
            run.beat()
            run.set_tag("a", 1)
        assert line.calls == 0, "nothing was even tried"
        now = time.monotonic()
        monkeypatch.setattr(delivery.time, "monotonic", lambda: now + 6)
        run.beat()
        assert line.calls < 0

    def test_an_older_artifact_that_waits_is_replaced(
        self, run: Run, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        far = Run(client, run.id, "mine", "mlflow-artifacts:/1/a")

        def refused(*_: Any) -> None:
            raise requests.ConnectionError("refused")

        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, "log_artifact", refused)
            for content in (b"old", b"new"):
                far.log_bytes(content, "checkpoints/last.npz")
            (kept,) = Journal.open(journals()[0]).artifacts().values()
            assert kept.read_bytes() == b"new"
            assert len([path for path in kept.parent.iterdir() if path.is_file()]) == 1
        far.beat()
        assert (artifacts(client, run) / "checkpoints/last.npz").read_bytes() == b"new"

    def test_artifacts_of_this_machine_do_not_wait_for_thedatabase(
        self, run: Run, line: Line, client: MlflowClient
    ) -> None:
        line.cut()
        run.set_tag("a", 1)
        run.log_bytes(b"data", "last.npz")
        assert (artifacts(client, run) / "last.npz").read_bytes() == b"data"

    def test_what_is_refused_is_an_error_and_is_not_kept(self, run: Run, line: Line) -> None:
        line.error = MlflowException("it was deleted", INVALID_PARAMETER_VALUE)
        line.cut()
        with pytest.raises(TrackingError, match="deleted") as caught:
            run.set_tag("a", 1)
        assert not isinstance(caught.value, StoreAway)
        assert not journals()

    def test_no_password_is_written_or_said(
        self, run: Run, line: Line, client: MlflowClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        client._tracking_client.tracking_uri = "http://user:secret@host"
        away = Run(client, run.id, "mine", "mlflow-artifacts:/1/a")
        line.cut()
        away.set_tag("where", "http://user:secret@host")
        away.close("FINISHED")
        assert "secret" not in (journals()[0] / journal.FILE).read_text() + caplog.text
        assert "http://***@host" in (journals()[0] / journal.FILE).read_text()


class TestAFullDisk:
    @pytest.fixture
    def full(self, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        """Names of folders in which nothing can be written."""
        names: set[str] = set()
        original = os.fsync, Journal.append

        def check(path: str) -> None:
            if any(name in path for name in names):
                raise OSError(errno.ENOSPC, "No space left on device")

        def fsync(number: int) -> None:
            check(os.readlink(f"/proc/self/fd/{number}"))
            original[0](number)

        def append(self: Journal, operation: Any) -> None:
            check(str(self.folder))
            original[1](self, operation)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Journal, "append", append)
        return names

    def test_an_artifact_is_kept_elsewhere_and_put_in_its_place_later(
        self, run: Run, client: MlflowClient, full: set[str]
    ) -> None:
        place = artifacts(client, run)
        full.add(str(place))
        run.log_bytes(b"new", "checkpoints/last.npz")
        assert not (place / "checkpoints/last.npz").exists()
        run.log_metrics({"m": 1.0}, 1)
        assert client.get_run(run.id).data.metrics == {"m": 1.0}, "the database has room"
        full.clear()
        run.close("FINISHED")
        assert (place / "checkpoints/last.npz").read_bytes() == b"new"
        assert not journal.PLACE.exists()

    def test_metrics_are_remembered_where_the_journal_has_no_room_either(
        self, run: Run, line: Line, client: MlflowClient, full: set[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        line.error = database("database or disk is full")
        line.cut()
        full.add("undelivered")
        work(run, range(1, 3))
        assert "in memory" in caplog.text
        full.clear()
        work(run, range(3, 4))
        assert journals()
        line.mend()
        run.close("FINISHED")
        assert_all_there(client, run, "FINISHED")

    def test_a_run_whose_words_are_lost_fails_with_one_message(self, run: Run, line: Line, full: set[str]) -> None:
        line.cut()
        full.add("undelivered")
        run.log_metrics({"m": 1.0}, 1)
        with pytest.raises(TrackingError, match=r"refused.*undelivered cannot be written: it is lost"):
            run.close("FINISHED")

    def test_a_line_that_did_not_fit_leaves_nothing_behind(self, run: Run, line: Line) -> None:
        line.cut()
        run.set_tag("a", 1)
        kept = Journal.open(journals()[0])
        kept._size = (kept.folder / journal.FILE).stat().st_size
        before = (kept.folder / journal.FILE).read_bytes()

        class Full:
            def __init__(self, file: Any) -> None:
                self.file = file

            def __enter__(self) -> "Full":
                return self

            def __exit__(self, *_: object) -> None:
                self.file.close()

            def __getattr__(self, name: str) -> Any:
                return getattr(self.file, name)

            def write(self, data: bytes) -> int:
                return int(self.file.write(data[: len(data) // 2]))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(journal, "open", lambda *a, **k: Full(Path.open(*a, **k)), raising=False)
            with pytest.raises(OSError, match="full"):
                kept.append(delivery.End(status="FINISHED", time=1))
        assert (kept.folder / journal.FILE).read_bytes() == before


def test_a_store_that_another_process_writes_to_for_long_does_not_hold_a_run_up(
    run: Run, uri: str, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "CONTACT_SECONDS", 0.2)
    other = sqlite3.connect(uri.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    for step in range(20):
        run.log_metrics({"m": 1.0}, step)
    assert time.monotonic() - started < 15, "MLflow alone would have waited 20 s at the first"
    assert journals()
    other.execute("ROLLBACK")
    run.close("FINISHED")
    assert len(client.get_metric_history(run.id, "m")) == 20
    assert not journals()


def test_a_run_cannot_start_where_the_store_does_not_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError("http://user:secret@host refused")

    monkeypatch.setattr(MlflowClient, "create_run", refused)
    with pytest.raises(UserError, match=r"tracking\.uri: the store .* does not answer: http://\*\*\*@host refused"):
        store.start_run("a")
