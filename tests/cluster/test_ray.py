"""Sweeps on Ray, for real on this machine, where its extra is installed."""

import os
import signal

import psutil
import pytest

from lenet.run import main
from tests.cluster.helpers import (
    free_port,
    metrics,
    needs_ray,
    on_ray,
    sweep,
)
from tests.conftest import SMALL, artifacts, family, sweeping
from tests.sweeps.test_survival import await_end, pid_of

pytestmark = pytest.mark.cluster


@needs_ray
def test_a_sweep_on_two_nodes_of_ray_gives_what_it_gives_here(ray_cluster, workplace, records):
    address, _ = ray_cluster
    arguments = "optimizer.lr=0.0001,0.02", "trainer.figures=none"
    code, output, errors = sweep(*arguments, *on_ray(address))
    assert (code, errors) == (0, "")
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3
    assert parent.data.tags["best_run"] == children[1].info.run_id
    assert "best by validation accuracy: lr=0.02" in output
    drawn = sorted(path.name for path in (artifacts(parent) / "figures").iterdir())
    assert drawn == ["curves_val_accuracy.png", "curves_val_loss.png", "sweep.png"]
    assert main([*SMALL, *arguments, "-m"]) == 0
    again = [run for run in records() if run.data.tags["lenet.kind"] == "job"]
    for child in children:
        twin = next(run for run in again if run.info.run_name == child.info.run_name)
        assert metrics(twin) == metrics(child)
        assert twin.data.params == child.data.params
    assert sorted(path.name for path in workplace.iterdir()) == ["digits.npz", "mlflow.db", "mlruns"]


@needs_ray
def test_a_job_has_as_many_threads_as_ray_gives_it_cores(ray_head, workplace, records):
    process = sweeping(workplace, records, "seed=0", *on_ray(ray_head), at_work=1)
    _, [child] = family(records())
    assert not psutil.Process(pid_of(child)).children()
    process.terminate()
    assert process.wait(60) == 130


@needs_ray
def test_a_worker_of_ray_that_is_killed_is_lost_with_the_reason_and_the_others_go_on(ray_head, workplace, records):
    extra = "trainer.epochs=300", "seed=0,1,2", "trainer.figures=none"
    process = sweeping(workplace, records, *extra, *on_ray(ray_head), at_work=1)
    victim = next(run for run in records() if run.data.metrics.get("train/loss"))
    os.kill(pid_of(victim), signal.SIGKILL)
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 1, errors
    assert "Traceback" not in output + errors
    parent, children = family(records())
    assert parent.info.status == "FAILED"
    lost = next(child for child in children if child.info.run_id == victim.info.run_id)
    assert lost.info.status == "FAILED"
    assert "WorkerCrashedError" in lost.data.tags["lenet.error"]
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED", "FINISHED"]


@needs_ray
def test_the_jobs_of_a_node_that_dies_are_lost_and_the_others_go_on(ray_cluster, workplace, records):
    address, second = ray_cluster
    extra = "trainer.epochs=700", "seed=0,1", "trainer.figures=none"
    process = sweeping(workplace, records, *extra, *on_ray(address))
    below = psutil.Process(second.pid).children(recursive=True)
    pids = {one.pid for one in below}
    for one in (psutil.Process(second.pid), *below):
        one.kill()
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 1, errors
    assert "Traceback" not in output + errors
    _, children = family(records())
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED"]
    lost = next(child for child in children if child.info.status == "FAILED")
    assert pid_of(lost) in pids
    assert "NodeDiedError" in lost.data.tags["lenet.error"]


@needs_ray
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_on_ray_closes_its_runs_as_killed(number, ray_head, workplace, records):
    process = sweeping(workplace, records, "seed=0,1", *on_ray(ray_head), at_work=1)
    process.send_signal(number)
    output, errors = process.communicate(timeout=90)
    assert process.returncode == 130, errors
    assert "Traceback" not in output + errors
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["KILLED", "KILLED"]
    assert (artifacts(children[0]) / "checkpoints/last.npz").exists()
    await_end([pid_of(children[0])])


@needs_ray
def test_an_address_where_no_ray_answers_is_refused_before_anything_is_done(workplace, records):
    code, _, errors = sweep("seed=0,1", *on_ray(f"127.0.0.1:{free_port()}"))
    assert code == 2
    assert "where no Ray cluster answers" in errors
    assert not records()
