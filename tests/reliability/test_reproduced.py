"""The same seed gives the same bits: on any number of threads, under load, alone, in a sweep, from the store alone."""

import multiprocessing

import pytest

from lenet import reproduce
from lenet.run import main
from tests.conftest import save_digits

pytestmark = pytest.mark.slow

RUN = ("data=npz", "data.images=digits.npz", "backend=numpy", "trainer.epochs=4", "trainer.batch_size=200")
"""A batch of seven sub-batches, which any number of threads share."""


def burn():
    while True:
        pass


@pytest.fixture
def load():
    """Keep more processes busy than there are cores."""
    processes = [multiprocessing.Process(target=burn, daemon=True) for _ in range(6)]
    for process in processes:
        process.start()
    yield
    for process in processes:
        process.kill()
        process.join()


def test_threads_load_and_sweeps_change_no_bit(workplace, records, load, report):
    save_digits(workplace / "digits.npz", 3000)
    settings = ["network.activation=relu,tanh", "optimizer=momentum,nesterov", "seed=0,1"]
    assert main([*RUN, "backend.threads=1", *settings, "-m"]) == 0
    jobs = [run for run in records() if run.data.tags["lenet.kind"] == "job"]
    times = 0
    for job, threads in zip(jobs, (1, 2, 3, 4, 5, 7, 16, 40), strict=True):
        assert reproduce.main([job.info.run_id, f"backend.threads={threads}", "trainer.figures=none"]) == 0
        times += 1
    assert [run.data.tags["lenet.reproduced"] for run in records()[:times]] == ["identical"] * times
    tried = "jobs of a parallel sweep, reproduced alone, on 1 to 40 threads, with six processes keeping the cores busy"
    report("Reproduced", tried, times, "identical in every metric and weight")
