"""`python -m benchmarks.first_step [key=value …]`: what `python -m lenet.run` does until its first step, no more."""

import sys
import time
from typing import NoReturn

LINE = "lenet is about to take its first step"


def main() -> None:
    """Run until training begins, say so, and wait to be ended."""
    from lenet.training.trainer import Trainer

    def stop_here(trainer: Trainer) -> NoReturn:
        print(LINE, flush=True)
        time.sleep(60)
        raise SystemExit(1)

    Trainer._run_epoch = stop_here  # type: ignore[assignment, method-assign]

    from lenet.run import main as run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
