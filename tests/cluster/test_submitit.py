"""Sweeps with submitit, for real on this machine; Slurm's own commands are stand-ins."""

import os
import signal

import pytest

from lenet.run import main
from tests.cluster.helpers import (
    ONE_EPOCH,
    metrics,
    needs_submitit,
    sweep,
)
from tests.conftest import SMALL, artifacts, family, sweeping
from tests.sweeps.test_survival import await_end, pid_of

pytestmark = pytest.mark.cluster


@needs_submitit
def test_a_sweep_with_submitit_gives_what_it_gives_here(workplace, records):
    arguments = "optimizer.lr=0.0001,0.02", "trainer.figures=none"
    code, output, errors = sweep(*arguments, "hydra/launcher=submitit_local")
    assert (code, errors) == (0, "")
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3
    assert "best by validation accuracy: lr=0.02" in output
    assert main([*SMALL, *arguments, "-m"]) == 0
    for child in children:
        assert metrics(child) in [metrics(r) for r in records() if r.info.run_id != child.info.run_id]
    assert sorted(path.name for path in workplace.iterdir()) == ["digits.npz", "mlflow.db", "mlruns"]


@needs_submitit
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_with_submitit_closes_its_runs_as_killed(number, workplace, records):
    process = sweeping(workplace, records, "seed=0,1", "hydra/launcher=submitit_local", process_group=0)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as Ctrl-C at the terminal does
    else:
        process.send_signal(number)
    output, errors = process.communicate(timeout=90)
    assert process.returncode == 130, errors
    assert "Traceback" not in output + errors
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["KILLED"] * 3
    assert all((artifacts(child) / "checkpoints/last.npz").exists() for child in children)
    await_end(map(pid_of, children))


@needs_submitit
def test_a_job_of_submitit_that_is_killed_is_lost_with_the_reason_and_the_others_go_on(workplace, records):
    extra = "trainer.epochs=300", "seed=0,1", "trainer.figures=none"
    process = sweeping(workplace, records, *extra, "hydra/launcher=submitit_local")
    victim, *_ = records()
    victim = next(run for run in records() if run.data.metrics.get("train/loss"))
    os.kill(pid_of(victim), signal.SIGKILL)
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 1, errors
    assert "Traceback" not in output + errors
    _, children = family(records())
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED"]
    lost = next(child for child in children if child.info.status == "FAILED")
    assert lost.info.run_id == victim.info.run_id
    assert "ended without a result" in lost.data.tags["lenet.error"]


@pytest.fixture
def pretended_slurm(tmp_path_factory, monkeypatch):
    """Put stand-ins for Slurm's commands on the path: they run a script's jobs here, at once, and keep the script."""
    folder = tmp_path_factory.mktemp("slurm")
    scripts = {
        "srun": 'while [[ $1 == --* ]]; do [[ $1 == --output || $1 == --error ]] && shift; shift; done; exec "$@"',
        "sbatch": f"""cp "$1" {folder}/submitted.sh
            export SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1
            export SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0
            for task in 0 1; do SLURM_ARRAY_TASK_ID=$task bash "$1" > {folder}/$task.log 2>&1 & done
            echo Submitted batch job 7""",
        "sacct": "echo 'JobID|State|NodeList'; for task in 0 1; do echo \"7_$task|RUNNING|here\"; done",
        "scancel": "exit 0",
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@needs_submitit
def test_slurm_is_given_an_array_of_jobs_with_what_was_asked_for(pretended_slurm, workplace, records):
    asked = "hydra.launcher.partition=small", "hydra.launcher.timeout_min=30", "hydra.launcher.mem_gb=2"
    more = "hydra.launcher.setup=['export SET_UP=1']", "+hydra.launcher.additional_parameters.mail-type=END"
    code, _, errors = sweep("seed=0,1", *ONE_EPOCH, "hydra/launcher=submitit_slurm", *asked, *more)
    assert code == 0, errors
    script = (pretended_slurm / "submitted.sh").read_text()
    for line in ("array=0-1%2", "cpus-per-task=1", "mem=2GB", "partition=small", "time=30", "mail-type=END"):
        assert f"#SBATCH --{line}\n" in script
    assert "export SET_UP=1" in script
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3


@needs_submitit
def test_without_slurm_s_commands_it_is_refused_before_anything_is_done(workplace, records, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(workplace))
    assert main([*SMALL, "seed=0,1", "-m", "hydra/launcher=submitit_slurm"]) == 2
    assert "lacks sbatch, srun, scancel, sacct" in capsys.readouterr().err
    assert not records()
