"""Runs that end while other processes look for runs whose process has gone: what has ended stays as it ended."""

import multiprocessing
from collections import Counter

import pytest

from lenet.tracking.finding import Finder
from lenet.tracking.store import Store

pytestmark = pytest.mark.slow

fork = multiprocessing.get_context("fork")
RUNS = 60


def look_for_gone_ones(uri, stop):
    store = Store(uri, "lenet")
    while not stop.is_set():
        store.close_gone()


def run_and_go(uri):
    run = Store(uri, "lenet").start_run("short", params={"a": 1})
    run.log_metrics({"x": 1.0}, step=1)
    run.close("FINISHED")


def begin_and_go(uri):
    Store(uri, "lenet").start_run("broken off")


def test_runs_that_end_beside_two_that_close_what_has_gone(workplace):
    uri = f"sqlite:///{workplace}/mlflow.db"
    Store(uri, "lenet")
    stop = fork.Event()
    lookers = [fork.Process(target=look_for_gone_ones, args=(uri, stop)) for _ in range(2)]
    for looker in lookers:
        looker.start()
    for number in range(RUNS):
        process = fork.Process(target=begin_and_go if number % 10 == 0 else run_and_go, args=(uri,))
        process.start()
        process.join()
        assert process.exitcode == 0
    stop.set()
    for looker in lookers:
        looker.join()
        assert looker.exitcode == 0, "two may close the same run"
    Store(uri, "lenet").close_gone()
    ends = Counter((run.name, run.status, "lenet.error" in run.tags) for run in Finder(uri).search(""))
    assert ends == {("short", "FINISHED", False): RUNS * 9 // 10, ("broken off", "KILLED", True): RUNS // 10}
