"""Runs and sweeps whose store does not answer for a while: what they compute is not lost, and they end well."""

import shlex

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lenet.deliver import main as deliver
from lenet.run import main
from lenet.tracking import delivery
from lenet.tracking.journal import journals
from lenet.tracking.run import Run
from tests.conftest import SMALL, family
from tests.sameness import assert_same

QUICK = (*SMALL, "trainer.figures=none")
SWEEP = (*QUICK, "seed=0,1", "hydra/launcher=basic", "-m")
WRITES = ("log_batch", "set_tag", "delete_tag", "log_inputs", "set_terminated")
READS = ("search_runs", "get_metric_history")


def refuse(*_, **__):
    raise requests.ConnectionError("http://user:hushhush@host refused")


@pytest.fixture
def cut(monkeypatch):
    """Return what cuts the line to the store, and what mends it."""
    monkeypatch.setattr(delivery, "LAST_SECONDS", 0.0)
    patch = pytest.MonkeyPatch()

    def cut(*methods):
        for method in methods:
            patch.setattr(MlflowClient, method, refuse)

    yield cut, patch.undo
    patch.undo()


def after(monkeypatch, step, do):
    """Do something once the metrics of a step have been recorded, the first time."""
    original, done = Run.log_metrics, []

    def log_metrics(self, metrics, at):
        original(self, metrics, at)
        if at == step and not done:
            done.append(step)
            self.flush()
            do()

    monkeypatch.setattr(Run, "log_metrics", lambda self, metrics, step: log_metrics(self, metrics, step))


def test_a_run_that_is_delivered_afterwards_is_the_same_as_any_other(workplace, records, cut, monkeypatch, capsys):
    away, back = cut
    assert main(QUICK) == 0
    after(monkeypatch, 2, lambda: away(*WRITES))
    assert main(QUICK) == 0
    output = capsys.readouterr().out
    assert "python -m lenet.deliver" in output
    assert "hushhush" not in output
    back()
    assert records()[0].info.status == "RUNNING"
    assert deliver([]) == 0
    assert_same(MlflowClient(), *records())


@pytest.mark.slow
def test_a_sweep_whose_store_goes_away_ends_well_and_is_summed_up_later(workplace, records, cut, monkeypatch, capsys):
    away, back = cut
    original, closed = Run.close, []

    def close(self, status):
        original(self, status)
        closed.append(status)
        if len(closed) == 2:  # both jobs have ended
            away(*WRITES, *READS)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "close", close)
        assert main(SWEEP) == 0
    output, errors = capsys.readouterr()
    assert "Traceback" not in output + errors
    assert "cannot be summed up: the store does not answer (http://***@host refused)" in output
    back()
    assert len(journals()) == 1
    assert deliver([]) == 0
    parent, _ = family(records())
    assert parent.info.status == "FINISHED"
    assert "best_run" not in parent.data.tags
    (command,) = [line for line in output.splitlines() if "sweep.resume=" in line]
    assert main(shlex.split(command)[3:]) == 0
    parent, children = family(records())
    assert parent.data.tags["best_run"] in [child.info.run_id for child in children]
    assert len(children) == 2


@pytest.mark.slow
def test_a_sweep_delivers_what_a_job_has_left_before_it_sums_up(workplace, records, cut, monkeypatch, capsys):
    away, back = cut
    original = Run.close

    def close(self, status):
        original(self, status)
        back()

    after(monkeypatch, 2, lambda: away(*WRITES))
    with monkeypatch.context() as patch:
        patch.setattr(Run, "close", close)
        assert main(SWEEP) == 0
    assert not journals()
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3
    assert "test/accuracy" in children[0].data.metrics
    assert "best_run" in parent.data.tags


@pytest.mark.slow
def test_a_job_that_cannot_be_started_fails_alone_and_says_why(workplace, records, monkeypatch, capsys):
    original, calls = MlflowClient.create_run, []

    def second_refused(self, *arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise MlflowException("no answer")
        return original(self, *arguments, **options)

    monkeypatch.setattr(MlflowClient, "create_run", second_refused)
    assert main(SWEEP) == 1
    output, errors = capsys.readouterr()
    assert "Traceback" not in output + errors
    assert "job seed=0 failed before it could be recorded: tracking.uri: the store" in output
    _, children = family(records())
    assert [(child.info.run_name, child.info.status) for child in children] == [("seed=1", "FINISHED")]


def test_a_run_whose_checkpoints_cannot_be_written_is_trained_and_tested_and_fails_in_the_end(
    workplace, records, monkeypatch, capsys
):
    original = delivery.Delivery.put

    def put(self, data, name):
        if name.startswith("checkpoints"):
            raise delivery.TrackingError(f"{name} cannot be written (full)")
        original(self, data, name)

    monkeypatch.setattr(delivery.Delivery, "put", put)
    assert main([*QUICK, "trainer.checkpoint_every=1"]) == 1
    output, errors = capsys.readouterr()
    assert output.count("no checkpoint was written") == 1
    assert "cannot be written (full)" in errors
    (run,) = records()
    assert run.info.status == "FAILED"
    assert {"train/loss", "test/accuracy"} <= set(run.data.metrics)
