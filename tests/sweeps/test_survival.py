"""What becomes of a sweep whose processes are interrupted or killed. Real processes, real signals."""

import itertools
import os
import signal
import time

import pytest

from lenet.run import main
from lenet.tracking.process import process_start
from tests.conftest import SMALL, artifacts, family, sweeping


def pid_of(run):
    return int(run.data.tags["lenet.pid"])


def await_end(pids):
    pids = list(pids)
    deadline = time.monotonic() + 20
    while any(process_start(pid) for pid in pids):
        assert time.monotonic() < deadline, "a process was left behind"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["parallel", pytest.param("basic", marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_sweep_closes_its_parent_and_the_jobs_under_way(number, launcher, workplace, records):
    seeds = "seed=0,1,2" if launcher == "parallel" else "seed=0,1"
    process = sweeping(workplace, records, seeds, f"hydra/launcher={launcher}", at_work=2 - (launcher == "basic"))
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in output + errors
    parent, children = family(records())
    under_way = 2 if launcher == "parallel" else 1
    assert [run.info.status for run in (parent, *children)] == ["KILLED"] * (1 + under_way)
    assert all((artifacts(child) / "checkpoints/last.npz").exists() for child in children)
    await_end(map(pid_of, children))


@pytest.mark.slow
def test_ctrl_c_at_the_terminal_reaches_the_jobs_once_through_their_parent(workplace, records):
    process = sweeping(workplace, records, "seed=0,1", process_group=0)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["KILLED"] * 3
    assert all("has gone" not in child.data.tags.get("lenet.error", "") for child in children)


@pytest.mark.slow
def test_a_job_that_is_killed_is_lost_with_the_reason_and_the_others_go_on(workplace, records):
    process = sweeping(workplace, records, "trainer.epochs=60", "seed=0,1,2,3", "trainer.figures=none")
    victim = next(run for run in records() if run.data.metrics.get("train/loss"))
    os.kill(pid_of(victim), signal.SIGKILL)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    parent, children = family(records())
    assert parent.info.status == "FAILED"
    assert sorted(child.info.status for child in children) == ["FAILED"] + ["FINISHED"] * 3
    lost = next(child for child in children if child.info.status == "FAILED")
    assert lost.info.run_id == victim.info.run_id
    assert "SIGKILL" in lost.data.tags["lenet.error"]
    assert f"{lost.info.run_name} FAILED: its process was killed by SIGKILL" in output


@pytest.mark.slow
def test_a_worker_that_is_asked_to_stop_closes_its_job_with_the_reason_and_is_replaced(workplace, records):
    process = sweeping(workplace, records, "trainer.epochs=60", "seed=0,1,2", "trainer.figures=none")
    victim = next(run for run in records() if run.data.metrics.get("train/loss"))
    os.kill(pid_of(victim), signal.SIGTERM)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    _, children = family(records())
    assert sorted(child.info.status for child in children) == ["FINISHED"] * 2 + ["KILLED"]
    stopped = next(child for child in children if child.info.status == "KILLED")
    assert "asked to stop" in stopped.data.tags["lenet.error"]
    assert "no reason" not in output


@pytest.mark.slow
def test_jobs_end_with_their_sweep_and_the_next_command_tells_the_truth(workplace, records):
    process = sweeping(workplace, records, "seed=0,1")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    _, children = family(records())
    await_end(map(pid_of, children))
    parent, children = family(records())
    assert parent.info.status == "RUNNING", "nobody was left to close it"
    assert [child.info.status for child in children] == ["KILLED", "KILLED"]
    assert all((artifacts(child) / "checkpoints/last.npz").exists() for child in children)
    assert main([*SMALL, "trainer.figures=none", "trainer.epochs=1"]) == 0
    parent, _ = family(records())
    assert parent.info.status == "KILLED"
    assert "has gone" in parent.data.tags["lenet.error"]


@pytest.mark.slow
def test_when_all_are_killed_at_once_every_run_is_told_as_killed_and_ends_when_it_last_spoke(
    workplace, records, capsys
):
    from lenet.compare import main as compare

    process = sweeping(workplace, records, "seed=0,1")
    _, children = family(records())
    pids = [process.pid, *map(pid_of, children)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)  # none may see another's end
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    process.wait(10)
    await_end(pids)
    assert {run.info.status for run in records()} == {"RUNNING"}
    assert compare(["last"]) == 0
    assert capsys.readouterr().out.count("KILLED") == 2
    assert main([*SMALL, "trainer.figures=none", "trainer.epochs=1", "seed=5,6", "-m"]) == 0
    stale = [run for run in records() if run.data.tags["lenet.pid"] in map(str, pids)]
    assert [run.info.status for run in stale] == ["KILLED"] * 3
    assert all(run.info.end_time <= time.time() * 1000 - 1000 for run in stale)


@pytest.mark.slow
def test_a_spawned_pool_gives_the_same_numbers(workplace, records):
    arguments = [*SMALL, "trainer.figures=none", "seed=0,1", "-m"]
    assert main(arguments) == 0
    assert main([*arguments, "hydra.launcher.start=spawn", "hydra.launcher.workers=1"]) == 0
    jobs = [run for run in records() if run.data.tags["lenet.kind"] == "job"]
    assert len({run.data.tags["lenet.pid"] for run in jobs}) == 3
    for seed in ("0", "1"):
        one, other = (
            {k: v for k, v in run.data.metrics.items() if k != "samples_per_second"}
            for run in jobs
            if run.data.params["seed"] == seed
        )
        assert one == other


@pytest.mark.slow
def test_on_a_gpu_jobs_run_one_at_a_time_in_a_process_that_has_not_touched_it(workplace, records, monkeypatch):
    monkeypatch.setattr("lenet.arrays.backend.BackendSettings.takes_gpu", lambda self: True)
    assert main([*SMALL, "trainer.figures=none", "seed=0,1,2", "-m"]) == 0
    parent, children = family(records())
    assert len({pid_of(child) for child in children}) == 1
    assert pid_of(parent) != pid_of(children[0])
    spans = sorted((child.info.start_time, child.info.end_time) for child in children)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
