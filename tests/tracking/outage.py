"""Cutting a run's connection to its store, what it says meanwhile, and what must have arrived."""

import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from lenet.tracking import delivery, journal
from lenet.tracking.run import Run
from tests.tracking.helpers import artifacts

METHODS = ("log_batch", "set_tag", "delete_tag", "log_inputs", "set_terminated")


class Line:
    """The connection to the store: while it is cut, or after `calls` more calls, nothing is taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = math.inf
        self.error: BaseException = requests.ConnectionError("http://user:secret@host refused")
        for name in METHODS:
            monkeypatch.setattr(MlflowClient, name, self._through(getattr(MlflowClient, name)))
        monkeypatch.setattr(delivery, "FIRST_WAIT", 0.0)
        monkeypatch.setattr(delivery, "LONGEST_WAIT", 0.0)
        monkeypatch.setattr(delivery, "SHARE", 0)
        monkeypatch.setattr(delivery, "LAST_SECONDS", 0.0)

    def cut(self, calls: float = 0) -> None:
        self.calls = calls

    def mend(self) -> None:
        self.calls = math.inf

    def _through(self, original: Any) -> Any:
        def method(client: MlflowClient, *arguments: Any, **options: Any) -> Any:
            self.calls -= 1
            if self.calls < 0:
                raise self.error
            return original(client, *arguments, **options)

        return method


def work(run: Run, steps: range = range(1, 4)) -> None:
    """Say something of every kind."""
    for step in steps:
        run.log_metrics({"loss": 1 / step, "odd": math.nan, "high": math.inf}, step)
        run.set_tag("step", step)
        run.log_bytes(b"%d" % step * 1000, "checkpoints/last.npz")
    run.log_params({"late": 1})
    run.log_dataset("digits", "d" * 36, "file:///digits.npz")
    run.set_tag("gone", 1)
    run.delete_tag("gone")
    run.log_text("text", "log.txt")


def assert_all_there(client: MlflowClient, run: Run, status: str | None = None) -> None:
    found = client.get_run(run.id)
    for name in ("loss", "odd", "high"):
        assert [point.step for point in client.get_metric_history(run.id, name)] == [1, 2, 3]
    assert [point.value for point in client.get_metric_history(run.id, "loss")] == [1.0, 1 / 2, 1 / 3]
    assert math.isnan(found.data.metrics["odd"])
    assert found.data.params == {"seed": "0", "late": "1"}
    assert found.data.tags["step"] == "3"
    assert "gone" not in found.data.tags
    assert [each.dataset.name for each in found.inputs.dataset_inputs] == ["digits"]
    folder = artifacts(client, run)
    assert (folder / "checkpoints/last.npz").read_bytes() == b"3" * 1000
    assert (folder / "log.txt").read_text() == "text"
    assert status is None or found.info.status == status


def edit_header(folder: Path, **changes: Any) -> None:
    head, *rest = (folder / journal.FILE).read_text().splitlines(keepends=True)
    (folder / journal.FILE).write_text(json.dumps(json.loads(head) | changes) + "\n" + "".join(rest))


def database(text: str) -> MlflowException:
    """Return what MLflow raises for a fault of an SQLite store."""
    cause = sqlalchemy.exc.OperationalError("INSERT", {}, sqlite3.OperationalError(text))
    error = MlflowException(str(cause))
    error.__cause__ = cause
    return error
