"""`sweep.resume=RUN`: a sweep that goes on runs what is missing, and counts in what would come out the same."""

import csv
import os
import signal

import numpy as np
import pytest
from mlflow import MlflowClient

from lenet.run import main
from lenet.sweeps import jobs
from tests.conftest import SMALL, artifacts, family, save_digits, sweeping

QUICK = (*SMALL, "trainer.figures=none", "trainer.epochs=1")


def ids(children):
    return {child.info.run_id for child in children}


@pytest.mark.slow
def test_failed_jobs_are_tried_again_and_finished_ones_counted_in(workplace, records, capsys):
    sweep = [*QUICK, "data.images=digits.npz,late.npz", "-m"]
    assert main(sweep) == 1
    parent, before = family(records())
    told = capsys.readouterr().out
    assert f"sweep.resume={parent.info.run_id}" in told
    save_digits(workplace / "late.npz", 90)
    assert main([*sweep, f"sweep.resume={parent.info.run_id[:12]}"]) == 0
    parent, after = family(records())
    assert parent.info.status == "FINISHED"
    assert ids(before) < ids(after)
    assert len(after) == 3
    assert sorted(child.info.status for child in after) == ["FAILED", "FINISHED", "FINISHED"]
    rows = list(csv.DictReader((artifacts(parent) / "sweep/results.csv").open()))
    assert sorted(row["data.images"] for row in rows) == ["digits.npz", "late.npz"]
    assert {row["status"] for row in rows} == {"FINISHED"}
    assert "finished before" in capsys.readouterr().out
    assert not any("sweep" in key for child in after for key in child.data.params)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["parallel", "basic"])
def test_more_values_may_be_given_and_only_they_run(launcher, workplace, records):
    assert main([*QUICK, "seed=0,1", "-m"]) == 0
    _, before = family(records())
    assert main([*QUICK, "seed=0,1,2,3", "-m", "sweep.resume=last", f"hydra/launcher={launcher}"]) == 0
    parent, after = family(records())
    assert len(after) == 4
    assert ids(before) < ids(after)
    assert len(list(csv.DictReader((artifacts(parent) / "sweep/results.csv").open()))) == 4


@pytest.mark.slow
def test_other_data_another_configuration_and_other_code_do_not_count(workplace, records, monkeypatch):
    assert main([*QUICK, "seed=0,1", "-m"]) == 0
    save_digits(workplace / "digits.npz", 150)
    assert main([*QUICK, "seed=0,1", "-m", "sweep.resume=last"]) == 0
    assert len(family(records())[1]) == 4, "other data"
    assert main([*QUICK, "seed=0,1", "-m", "sweep.resume=last", "optimizer.lr=0.02"]) == 0
    assert len(family(records())[1]) == 6, "another configuration"
    monkeypatch.setattr(jobs, "code_digest", lambda config: "changed")
    assert main([*QUICK, "seed=0,1", "-m", "sweep.resume=last"]) == 0
    parent, children = family(records())
    assert len(children) == 8, "other code"
    rows = list(csv.DictReader((artifacts(parent) / "sweep/results.csv").open()))
    assert {row["run_id"] for row in rows} < ids(children)
    assert len(rows) == 2


@pytest.mark.slow
def test_any_finished_run_of_a_job_counts_and_comparing_shows_no_replaced_one(workplace, records, capsys):
    from lenet.compare import main as compare

    assert main([*QUICK, "data.images=digits.npz,late.npz", "-m"]) == 1
    (workplace / "digits.npz").rename(workplace / "kept.npz")
    assert main([*QUICK, "data.images=digits.npz,late.npz", "-m", "sweep.resume=last"]) == 1
    (workplace / "kept.npz").rename(workplace / "digits.npz")
    assert len(family(records())[1]) == 4
    save_digits(workplace / "late.npz", 90)
    assert main([*QUICK, "data.images=digits.npz,late.npz", "-m", "sweep.resume=last"]) == 0
    assert len(family(records())[1]) == 5, "the first of the runs on digits.npz counts, though a later one failed"
    capsys.readouterr()
    assert compare(["last", "--format", "csv"]) == 0
    assert capsys.readouterr().out.count("FINISHED") == 2


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on(workplace, records):
    process = sweeping(workplace, records, "trainer.epochs=1,100000", "trainer.figures=none")
    pids = {process.pid} | {int(run.data.tags["lenet.pid"]) for run in records()}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    process.wait(10)
    assert main([*QUICK, "trainer.epochs=1,2", "-m", "sweep.resume=last"]) == 0
    parent, children = family(records())
    assert parent.info.status == "FINISHED"
    assert [(c.info.run_name, c.info.status) for c in children] == [
        ("epochs=1", "FINISHED"),
        ("epochs=100000", "KILLED"),
        ("epochs=2", "FINISHED"),
    ]


@pytest.mark.slow
def test_a_sweep_that_is_still_running_is_left_alone(workplace, records, capsys):
    process = sweeping(workplace, records, "seed=0,1")
    assert main([*QUICK, "seed=0,1", "-m", "sweep.resume=last"]) == 2
    assert f"still running (process {process.pid}" in capsys.readouterr().err
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["seed=0,1", "-m", "sweep.resume=nonesuch"], "there is no run `nonesuch`"),
        (["seed=0,1", "-m", "sweep.resume=single"], "is not a sweep"),
        (["seed=0", "sweep.resume=last"], "add -m"),
        (["seed=0,1", "-m", "sweep.resume=last,first"], "cannot be swept over"),
        (["seed=0,1", "-m", "sweep.resum=last"], "Did you mean `sweep.resume`"),
    ],
)
def test_what_cannot_be_continued_is_said_and_leaves_no_run(arguments, said, workplace, records, capsys):
    assert main([*QUICK]) == 0
    MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}").update_run(records()[0].info.run_id, name="single")
    assert main([*QUICK, *arguments]) == 2
    assert said in capsys.readouterr().err
    assert len(records()) == 1


@pytest.mark.slow
def test_data_that_were_lost_meanwhile_fail_the_job_they_belong_to(workplace, records):
    assert main([*QUICK, "seed=0,1", "-m"]) == 0
    np.savez(workplace / "digits.npz", images=np.zeros(3))
    assert main([*QUICK, "seed=0,1", "-m", "sweep.resume=last"]) == 1
    parent, children = family(records())
    assert parent.info.status == "FAILED"
    assert sorted(child.info.status for child in children) == ["FAILED"] * 2 + ["FINISHED"] * 2
