"""Processes that work beside one another, and do not fall with one another."""

import errno
import os
import signal
import threading
import time

import pytest

from lenet.arrays.backend import usable_cores
from lenet.sweeps.pool import Pool, _shares
from lenet.sweeps.worker import Lost

SECONDS = 0.05


def work(task, say):
    """Do what the task says: a task is a word and a number."""
    word, number = task
    say(("began", number))
    if word == "fail":
        raise ArithmeticError(f"cannot do {number}")
    if word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "exit":
        os._exit(number)
    if word == "sleep":
        time.sleep(number)
    return number, os.getpid()


def run(pool, tasks, check=lambda: None):
    heard = []
    results = pool.run(work, tasks, lambda task, said: heard.append((task, said)), check)
    return results, heard


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_results_come_in_the_order_of_the_tasks_from_two_processes_that_stay(start):
    with Pool(2, start) as pool:
        first, heard = run(pool, [("sleep", 0.3), ("do", 1), ("sleep", 0.2), ("do", 3)])
        again, _ = run(pool, [("sleep", SECONDS), ("sleep", SECONDS)])
    assert [number for number, _ in first] == [0.3, 1, 0.2, 3]
    assert len({pid for _, pid in first}) == 2
    assert {pid for _, pid in again} == {pid for _, pid in first}
    assert os.getpid() not in {pid for _, pid in first}
    for task, result in enumerate(first):
        assert [said for number, said in heard if number == task] == [("began", result[0]), result]


def test_what_befalls_one_task_does_not_touch_the_others():
    tasks = [("do", 0), ("fail", 1), ("kill", 2), ("exit", 3), ("do", 4), ("kill", 5), ("do", 6)]
    with Pool(2) as pool:
        results, _ = run(pool, tasks)
    assert [r[0] for r in results if not isinstance(r, Lost)] == [0, 4, 6]
    reasons = [r.reason for r in results if isinstance(r, Lost)]
    assert reasons[0] == "ArithmeticError: cannot do 1"
    assert "SIGKILL" in reasons[1]
    assert reasons[2] == "its process ended with exit code 3"
    assert "SIGKILL" in reasons[3]


def test_what_stops_the_pool_ends_its_processes_and_is_raised():
    heard = []

    def check():
        if len(heard) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Pool(2) as pool:
        pool.run(work, [("sleep", 3600)] * 3, lambda task, said: heard.append((task, said)), check)
    assert sorted(task for task, said in heard if isinstance(said, Lost)) == [0, 1]


def until(happened, seconds=30):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_idle_worker_that_was_killed_is_replaced():
    with Pool(1) as pool:
        ((_, first),), _ = run(pool, [("do", 0)])
        os.kill(first, signal.SIGKILL)
        ((number, second),), _ = run(pool, [("do", 1)])
    assert number == 1
    assert second != first


def test_a_task_that_a_killed_worker_had_not_begun_is_given_to_another():
    with Pool(1) as pool:
        ((_, first),), _ = run(pool, [("do", 0)])
        os.kill(first, signal.SIGSTOP)  # it takes nothing, and the task waits in its pipe
        once = iter([first])
        results, heard = run(pool, [("do", 1), ("do", 2)], lambda: [os.kill(pid, signal.SIGKILL) for pid in once])
    assert [number for number, _ in results] == [1, 2]
    assert first not in {pid for _, pid in results}
    assert heard == [(0, ("began", 1)), (0, results[0]), (1, ("began", 2)), (1, results[1])]


class Unpicklable:
    """What ends the process that receives it: as work, or as a task."""

    def __call__(self, task, say):
        return task

    def __setstate__(self, state):
        os._exit(7)

    def __getstate__(self):
        return {"some": "state"}


def test_where_workers_end_as_they_start_the_tasks_are_lost_with_the_reason():
    with Pool(2, "spawn") as pool:
        results = pool.run(Unpicklable(), [1, 2, 3], lambda task, said: None, lambda: None)
    assert len(results) == 3
    assert all("end as they start" in lost.reason and "exit code 7" in lost.reason for lost in results)


def test_a_task_that_ends_every_process_it_is_given_to_is_lost_with_the_reason():
    with Pool(1) as pool:
        results = pool.run(work, [Unpicklable(), ("do", 1)], lambda task, said: None, lambda: None)
    assert results[0] == Lost("its process ended with exit code 7")
    assert results[1][0] == 1


def test_where_the_system_has_no_room_for_a_process_the_tasks_are_lost_each_time(monkeypatch):
    def refuse(process):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("multiprocessing.context.ForkProcess.start", refuse)
    with Pool(2, "fork") as pool:
        for _ in range(2):
            results, heard = run(pool, [("do", 1), ("do", 2)])
            assert [lost.reason.partition(":")[0] for lost in results] == ["no worker process can be started"] * 2
            assert [task for task, _ in heard] == [0, 1]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_idle_workers_end_by_themselves(start):
    with Pool(4, start) as pool:
        run(pool, [("sleep", SECONDS)] * 8)
        processes = [worker.process for worker in pool._workers]
    assert [process.exitcode for process in processes] == [0] * 4


def test_a_worker_killed_in_the_middle_of_a_message_loses_its_task_alone():
    with Pool(2) as pool:
        results = pool.run(shout, ["shout", "whisper"], lambda task, said: None, lambda: None)
    assert isinstance(results[0], Lost)
    assert results[1] == "whisper"


def shout(task, say):
    if task == "shout":
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
        while True:
            say(bytes(50_000_000))
    return task


def test_each_worker_has_its_own_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 2, 3, 5, 8})
    assert _shares(2) == [{1, 2, 3}, {5, 8}]
    assert _shares(1) == [{1, 2, 3, 5, 8}]
    assert _shares(6) == [{1}, {2}, {3}, {5}, {8}]
    monkeypatch.undo()
    with Pool(usable_cores()) as pool:
        assert pool.run(count_cores, [None] * usable_cores(), lambda *_: None, lambda: None) == [1] * usable_cores()


def count_cores(task, say):
    time.sleep(0.2)  # so that no worker takes two tasks
    return usable_cores()
