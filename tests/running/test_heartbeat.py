"""Runs whose process has gone, here or on another host, are told from those that go on or have ended."""

import time

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lenet.tracking import gone, process
from lenet.tracking import run as writing
from lenet.tracking.finding import Finder
from lenet.tracking.gone import SILENT_SECONDS, farewell, has_gone, last_sign
from lenet.tracking.store import Store
from lenet.tracking.tags import HEARTBEAT
from tests.conftest import SMALL

LONG_AGO = time.time() - 2 * SILENT_SECONDS


def elsewhere(**tags):
    return {process.HOST: "elsewhere", process.PID: "1", process.START: "x"} | {
        key.replace("_", "."): str(value) for key, value in tags.items()
    }


@pytest.mark.parametrize(
    ("tags", "start", "silent"),
    [
        (elsewhere(), time.time(), False),
        (elsewhere(), LONG_AGO, True),
        (elsewhere(lenet_heartbeat=int(time.time())), LONG_AGO, False),
        (elsewhere(lenet_heartbeat=int(LONG_AGO)), LONG_AGO, True),
        (elsewhere(lenet_heartbeat="odd"), time.time(), False),
        ({"some": "other program's"}, LONG_AGO, False),
        (process.identity(), LONG_AGO, False),
    ],
    ids=["new", "silent", "beating", "beating no more", "beating oddly", "not ours", "here"],
)
def test_a_run_of_another_host_has_gone_when_it_has_been_silent_for_long(tags, start, silent):
    assert has_gone("RUNNING", tags, start) is silent
    assert not has_gone("FINISHED", tags, start)


def test_what_is_said_of_it_names_the_host_and_how_long_it_was_silent():
    assert "on elsewhere" in farewell(elsewhere())
    assert "15 minutes" in farewell(elsewhere())
    assert last_sign(elsewhere(lenet_heartbeat=7), 5.0) == 7.0


@pytest.fixture
def store(workplace):
    return Store(f"sqlite:///{workplace}/mlflow.db", "lenet")


def tags_of(store, run):
    return MlflowClient(store.uri).get_run(run.id).data.tags


def test_a_run_says_once_a_minute_that_it_goes_on(store, monkeypatch):
    run = store.start_run("mine")
    run.beat()
    assert HEARTBEAT not in tags_of(store, run)
    now = time.monotonic()
    monkeypatch.setattr(writing.time, "monotonic", lambda: now + 61)
    run.beat()
    first = int(tags_of(store, run)[HEARTBEAT])
    assert abs(first - time.time()) < 5
    monkeypatch.setattr(MlflowClient, "set_tag", lambda *_: pytest.fail("it has just said so"))
    run.beat()


def test_a_store_that_does_not_take_the_heartbeat_ends_nothing(store, workplace, monkeypatch, caplog):
    run = store.start_run("mine")

    def refuse(*_):
        raise MlflowException("no answer")

    monkeypatch.setattr(MlflowClient, "set_tag", refuse)
    monkeypatch.setattr(writing, "BEAT_SECONDS", 0.0)
    run.beat()
    assert not (workplace / "mlruns/undelivered").exists(), "a heartbeat is worth nothing later"
    assert "no answer" in caplog.text


def test_the_trainer_and_a_sweep_s_parent_keep_saying_so(workplace, records, monkeypatch):
    from lenet.run import main

    monkeypatch.setattr(writing, "BEAT_SECONDS", 0.0)
    assert main([*SMALL, "trainer.figures=none", "trainer.epochs=1", "seed=0,1", "-m", "hydra/launcher=basic"]) == 0
    assert [HEARTBEAT in run.data.tags for run in records()] == [True] * 3


def test_a_silent_run_of_another_host_is_closed_with_the_reason_at_the_time_of_its_last_sign(store, monkeypatch):
    run = store.start_run("far", tags={process.HOST: "elsewhere"})
    store.close_gone()
    assert MlflowClient(store.uri).get_run(run.id).info.status == "RUNNING", "it has only just begun"
    monkeypatch.setattr(gone, "SILENT_SECONDS", -1.0)
    store.close_gone()
    closed = MlflowClient(store.uri).get_run(run.id)
    assert closed.info.status == "KILLED"
    assert closed.info.end_time == closed.info.start_time
    assert "no sign of life" in closed.data.tags["lenet.error"]


def test_the_run_of_a_lost_job_is_closed_by_the_job_s_number_on_whatever_host(store):
    parent = store.start_run("sweep", kind="sweep")
    tags = {process.HOST: "elsewhere"}
    runs = [store.start_run(f"job {n}", parent=parent.id, tags={**tags, "lenet.job": n}) for n in (0, 1)]
    closed = store.close_lost(parent.id, "FAILED", "its node died", job=1)
    assert [run.name for run in closed] == ["job 1"]
    assert tags_of(store, runs[1])["lenet.error"] == "its node died"
    assert [run.name for run in store.close_lost(parent.id, "KILLED", "the sweep was interrupted")] == ["job 0"]


@pytest.fixture
def ends_in_between(store, monkeypatch):
    """A run that ends, and its process with it, after a reader has found it running and before it looks for it."""
    run = store.start_run("mine")

    def lives(_):
        run.close("FINISHED")
        return False

    monkeypatch.setattr(gone, "lives", lives)
    return run


def test_a_run_that_ends_while_it_is_looked_at_stays_finished(store, ends_in_between):
    store.close_gone()
    ended = MlflowClient(store.uri).get_run(ends_in_between.id)
    assert ended.info.status == "FINISHED"
    assert "lenet.error" not in ended.data.tags


def test_nor_is_it_shown_as_killed(store, ends_in_between):
    (run,) = Finder(store.uri).search("")
    assert (run.status, run.gone) == ("FINISHED", False)
    assert "lenet.error" not in run.tags


def test_nor_closed_as_a_lost_job(store, monkeypatch):
    parent = store.start_run("sweep", kind="sweep")
    job = store.start_run("job", parent=parent.id)
    monkeypatch.setattr(gone, "lives", lambda _: job.close("FINISHED") or False)
    assert store.close_lost(parent.id, "KILLED", "the sweep was interrupted") == []
    assert "lenet.error" not in tags_of(store, job)


def test_a_run_that_is_taken_up_again_while_it_is_looked_at_goes_on(store, monkeypatch):
    run = store.start_run("mine", tags={process.START: "of a process that was killed"})
    (record,) = Finder(store.uri).search("")
    assert record.gone
    search = MlflowClient.search_runs

    def search_then_reopen(*args):
        page = search(*args)
        monkeypatch.undo()
        store.reopen(record)
        return page

    monkeypatch.setattr(MlflowClient, "search_runs", search_then_reopen)
    store.close_gone()
    current = MlflowClient(store.uri).get_run(run.id)
    assert current.info.status == "RUNNING"
    assert "lenet.error" not in current.data.tags
