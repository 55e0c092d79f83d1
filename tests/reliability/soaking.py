"""`python -m tests.reliability.soaking WORKER RUNS`: short runs one after another, each noted in a file once done.

The seed says which run of which worker it is; what is done already is not done again.
"""

import sys
from pathlib import Path

from lenet.run import main
from tests.conftest import SMALL

EPOCHS = 25
"""Enough that a run is recorded for a good part of a process's time: a kill should often hit a run."""


def seeds(worker: int, runs: int) -> range:
    return range(worker * 1000, worker * 1000 + runs)


def noted(worker: int) -> list[int]:
    """Return the seeds of the runs that a worker has done."""
    file = Path(f"done-{worker}.txt")
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def work(worker: int, runs: int) -> None:
    done = noted(worker)
    for seed in seeds(worker, runs):
        if seed not in done:
            code = main([*SMALL, f"seed={seed}", "trainer.figures=none", f"trainer.epochs={EPOCHS}"])
            if code:
                sys.exit(code)
            with open(f"done-{worker}.txt", "a") as file:
                file.write(f"{seed}\n")


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]))
