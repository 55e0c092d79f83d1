"""A machine that misbehaves: a clock that jumps, data that change or vanish under a run, folders that are closed."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.conftest import SMALL, environment, save_digits
from tests.sameness import assert_same

ROOT = Path(__file__).parents[2]
RUN = ("lenet.run", *SMALL, "trainer.figures=none")


def run(*command, **options):
    return subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        timeout=120,
        env={**environment(), "PYTHONPATH": str(ROOT)},
        **options,
    )


@pytest.mark.slow
def test_a_clock_that_jumps(workplace, records, report):
    times = 5
    for seed in range(times):
        settings = (f"seed={seed}", "trainer.epochs=40", "trainer.checkpoint_every=0.1s")
        done = run("tests.reliability.jumping", *RUN, *settings)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert run(*RUN, *settings).returncode == 0
        jumped, steady = records()[:2]
        assert_same(MlflowClient(), jumped, steady)
        for each in (jumped, steady):
            MlflowClient().delete_run(each.info.run_id)
    report(
        "Faults", "a clock that jumps to and fro by up to three days, some hundred times in a run", times, "no effect"
    )


def altered(path):
    save_digits(path, 90)


def vanished(path):
    path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [altered, vanished])
def test_data_that_change_under_a_run(fault, workplace, records, report):
    settings = ("trainer.epochs=60",)
    for name in ("digits.npz", "kept.npz"):
        save_digits(workplace / name, 1500)
    process = subprocess.Popen(
        [sys.executable, "-m", *RUN, *settings], stdout=subprocess.PIPE, text=True, env=environment()
    )
    for line in process.stdout:
        if line.startswith("epoch 2/"):
            break
    fault(workplace / "digits.npz")
    process.communicate(timeout=60)
    assert process.returncode == 0
    (workplace / "kept.npz").replace(workplace / "digits.npz")
    assert run(*RUN, *settings).returncode == 0
    assert_same(MlflowClient(), *records())
    report("Faults", f"the data's file is {fault.__name__} while a run reads it no more", 1, "no effect on the run")


def obey_permissions():
    """Have root obey them too, in the process that is about to be started."""
    if os.getuid() == 0:
        drop_from_bounding_set, dac_override = 24, 1
        assert ctypes.CDLL(None).prctl(drop_from_bounding_set, dac_override, 0, 0, 0) == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="root is made to obey by a call of Linux")
@pytest.mark.parametrize("place", [".", "mlruns", "mlflow.db"])
def test_folders_and_files_that_are_read_only(place, workplace, report):
    assert run(*RUN).returncode == 0
    target = workplace / place
    mode = target.stat().st_mode
    target.chmod(mode & ~0o222)
    done = run(*RUN, preexec_fn=obey_permissions)
    target.chmod(mode)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1
    assert "writ" in done.stderr
    report(
        "Faults", f"{'the folder' if place == '.' else place} is read-only when a run starts", 1, "one message, exit 2"
    )
