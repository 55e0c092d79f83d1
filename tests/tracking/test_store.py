"""A run starts with all that is known of it, and a sweep's runs are read back."""

import json
from typing import Any

import pytest
from mlflow.exceptions import INVALID_PARAMETER_VALUE, MlflowException
from mlflow.tracking import MlflowClient

from lenet.tracking.failures import TrackingError
from lenet.tracking.store import Store
from tests.tracking.helpers import artifacts


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


class TestChildren:
    def test_only_the_children_are_returned_over_any_number_of_pages(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lenet.tracking.record.PAGE", 2)
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
        raise MlflowException("too long", INVALID_PARAMETER_VALUE)

    monkeypatch.setattr(MlflowClient, "log_inputs", fails)
    with pytest.raises(TrackingError, match="too long"):
        store.start_run("run").log_dataset("digits", "0", "file:///digits.npz")
    assert len(tries) == 1
