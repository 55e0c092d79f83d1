"""Real processes, killed by SIGKILL wherever it may be, again and again, and gone on with: nothing tells afterwards."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.conftest import SMALL, artifacts, environment, save_digits
from tests.reliability.dying import FUNCTIONS
from tests.sameness import assert_same

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RUN = ("lenet.run", *SMALL, "data.images=many.npz", "trainer.epochs=40", "schedule=step", "schedule.every=15")
RESUME = ("lenet.resume", "last")
KILLS = 4
"""Times that each run is killed before it is left in peace."""


@pytest.fixture
def client(workplace):
    save_digits(workplace / "many.npz", 1500)
    return MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")


def start(*command):
    paths = {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), **paths},
    )


def ended(process):
    """Await a process's end and return its exit code."""
    _, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors, errors
    return process.returncode


def whole(records, *settings):
    """Train once without disturbance; return the run and the seconds that its process took."""
    began = time.monotonic()
    assert ended(start(*RUN, *settings)) == 0
    return records()[0], time.monotonic() - began


def finish(client, records, reference, settings):
    """Go on with what is left of a run and hold it to the undisturbed one; its run is removed."""
    started = len(records()) > 1
    if not started or records()[0].info.status != "FINISHED":
        assert ended(start(*(RESUME if started else (*RUN, *settings)))) == 0
    run, other = records()
    assert other.info.run_id == reference.info.run_id
    assert_same(client, run, other)
    folder = artifacts(run)
    assert not [path for path in folder.rglob(".*") if path.is_file()], "what a killed write left is removed"
    client.delete_run(run.info.run_id)


@pytest.mark.parametrize("every", ["1steps", "10s"])
def test_kills_at_random_moments(every, client, records, report):
    settings = (f"trainer.checkpoint_every={every}",)
    chance = random.Random(every)
    reference, seconds = whole(records, *settings)
    kills = 0
    while kills < 2 * KILLS:
        for _ in range(KILLS):
            started = len(records()) > 1
            if started and records()[0].info.status == "FINISHED":
                break
            process = start(*(RESUME if started else (*RUN, *settings)))
            try:
                process.wait(chance.uniform(0.3, 1) * seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills += 1
            else:
                seconds *= 0.8  # the machine has become faster than it was for the undisturbed run
            process.communicate()
        finish(client, records, reference, settings)
    tried = f"SIGKILL at random moments of a run, up to {KILLS} times in each; checkpoints every {every}"
    report("Interrupted", tried, kills, "resumed; metrics, weights and figures bitwise those of an undisturbed run")


def test_kills_at_chosen_moments(client, records, report):
    settings = ("trainer.checkpoint_every=9steps",)
    reference, _ = whole(records, *settings)
    chance, kills = random.Random(0), 0
    for function in FUNCTIONS:
        for moment in ("before", "after"):
            for attempt in range(3):
                started = len(records()) > 1
                number = 1 if attempt == 0 else chance.randint(2, 20)
                command = RESUME if started else (*RUN, *settings)
                process = start("tests.reliability.dying", function, str(number), moment, *command)
                _, errors = process.communicate(timeout=120)
                assert process.returncode in (0, -signal.SIGKILL), errors
                kills += process.returncode == -signal.SIGKILL
                if len(records()) > 1 and records()[0].info.status == "FINISHED":
                    break
            finish(client, records, reference, settings)
    assert kills >= 2 * len(FUNCTIONS)
    tried = f"SIGKILL right before and after a call of {', '.join(FUNCTIONS)}, up to 3 times in each run"
    report("Interrupted", tried, kills, "resumed; metrics, weights and figures bitwise those of an undisturbed run")


def test_of_two_resumes_at_once_one_is_refused(client, records, report):
    settings = ("trainer.epochs=100", "trainer.checkpoint_every=2")
    reference, _ = whole(records, *settings)
    times = 4
    for _ in range(times):
        process = start(*RUN, *settings)
        while len(records()) < 2 or "train/loss" not in records()[0].data.metrics:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        both = [start(*RESUME), start(*RESUME)]
        ends = [(ended_, errors) for ended_, errors in ((p.communicate()[1], p.returncode) for p in both)]
        assert sorted(code for _, code in ends) == [0, 2], ends
        refused = next(errors for errors, code in ends if code == 2)
        assert "is still running" in refused or "taken up by another process" in refused or "finished" in refused
        finish(client, records, reference, settings)
    report("Interrupted", "two resumes of one run at the same moment", times, "one went on, the other was refused")
