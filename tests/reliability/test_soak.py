"""Many short runs from several processes into one store, which are killed at random: the store tells the truth."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from lenet.run import main
from lenet.tracking.finding import Finder
from lenet.tracking.tags import ERROR
from tests.conftest import SMALL, environment
from tests.reliability.soaking import noted, seeds

pytestmark = pytest.mark.slow

WORKERS, RUNS = 4, 50
SECONDS_BETWEEN_KILLS = 2.5
ENOUGH = 5
"""Kills that must have hit a run. How many do is chance, and depends on what share of its time a process records."""


def start(worker):
    command = [sys.executable, "-m", "tests.reliability.soaking", str(worker), str(RUNS)]
    paths = {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**environment(), **paths}
    )


def test_many_runs_at_once_with_kills(workplace, report):
    chance = random.Random(0)
    workers = {number: start(number) for number in range(WORKERS)}
    begun = dict.fromkeys(workers, 0)  # runs that each had done when its process was started
    kills, due = 0, time.monotonic() + 6
    while workers:
        time.sleep(0.1)
        for number, process in list(workers.items()):
            if process.poll() is None:
                continue
            _, errors = process.communicate()
            assert "Traceback" not in errors, errors
            del workers[number]
            if process.returncode == -signal.SIGKILL:
                workers[number] = start(number)
            else:
                assert process.returncode == 0, errors
        at_work = [number for number in workers if len(noted(number)) > begun[number]]
        if at_work and time.monotonic() > due:
            victim = chance.choice(at_work)
            workers[victim].kill()
            begun[victim] = len(noted(victim))
            kills += 1
            due = time.monotonic() + chance.uniform(0.2, 2) * SECONDS_BETWEEN_KILLS

    assert [noted(worker) for worker in range(WORKERS)] == [list(seeds(worker, RUNS)) for worker in range(WORKERS)]
    uri = f"sqlite:///{workplace / 'mlflow.db'}"
    runs = Finder(uri).search("")
    statuses = Counter(run.status for run in runs)
    assert set(statuses) <= {"FINISHED", "KILLED"}, "what was killed is told so before anything closes it"
    finished = Counter(int(run.params["seed"]) for run in runs if run.status == "FINISHED")
    expected = {seed for worker in range(WORKERS) for seed in seeds(worker, RUNS)}
    ends = [(run.status, run.params.get("seed"), run.tags.get(ERROR)) for run in runs if run.status != "FINISHED"]
    assert set(finished) == expected, ends
    assert sum(finished.values()) - len(expected) <= kills, "done, but killed before it was noted"
    assert ENOUGH <= statuses["KILLED"] <= kills, "many kills hit a run; the others fall between two"
    for run in runs:
        if run.status == "FINISHED":
            assert run.metrics.keys() >= {"train/loss", "val/accuracy", "test/loss", "best/val_accuracy"}
    assert main([*SMALL, "trainer.figures=none"]) == 0
    assert not [run for run in Finder(uri).search("") if run.gone], "the next run closes them"
    connection = sqlite3.connect(workplace / "mlflow.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    report(
        "Many at once",
        f"{WORKERS * RUNS} short runs from {WORKERS} processes into one store, which are killed (SIGKILL) at random",
        kills,
        f"every run that ended is there, FINISHED, with all its metrics; {statuses['KILLED']} that were killed "
        "are KILLED; the database's integrity check is clean",
    )
