"""What recording costs: the share of a run's training time that goes to MLflow and to checkpoints.

`python -m benchmarks.tracking_overhead` trains 100 epochs on the embedded digits into a store of its own, counts the
time spent in every call that writes, and prints its share.
"""

import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

from lenet.build import build
from lenet.config import compose_config
from lenet.experiment import execute
from lenet.tracking.run import Run
from lenet.training.keeper import Keeper
from lenet.training.trainer import Trainer

EPOCHS = 100


def timed(owner: type, name: str, spent: dict[str, float]) -> None:
    """Have every call of `owner.name` add its seconds to `spent`."""
    function: Callable[..., Any] = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[f"{owner.__name__}.{name}"] += time.perf_counter() - started

    spent[f"{owner.__name__}.{name}"] = 0.0
    setattr(owner, name, call)


def main() -> None:
    """Measure and print."""
    spent: dict[str, float] = {}
    timed(Run, "log_metrics", spent)
    timed(Keeper, "after_epoch", spent)
    timed(Trainer, "_run_epoch", spent)
    plan = build(compose_config([f"trainer.epochs={EPOCHS}", "trainer.figures=none", "trainer.checkpoint_every=10s"]))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        execute(plan)
        os.chdir("/")
    training = spent.pop("Trainer._run_epoch")
    for name, seconds in spent.items():
        print(f"{name}: {seconds:.3f} s")
    total = sum(spent.values())
    print(f"recording {total:.3f} s of {training + total:.1f} s: {total / (training + total):.2%}")


if __name__ == "__main__":
    main()
