"""What recording costs: the share of a run's wall time that goes to MLflow and to checkpoints.

`python -m benchmarks.tracking_overhead` trains 100 epochs on the embedded digits into a store of its own and counts the
time spent in every call that writes: opening, parameters, artifacts, metrics, checkpoints, closing.
"""

import tempfile
import time
from collections.abc import Callable
from typing import Any

from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.running.experiment import execute
from lenet.tracking.run import Run
from lenet.tracking.store import Store
from lenet.training.keeper import Keeper

EPOCHS = 100
WRITERS: list[tuple[type, str]] = [
    (Store, "start_run"),
    (Run, "log_metrics"),
    (Run, "log_text"),
    (Run, "log_dataset"),
    (Run, "set_tag"),
    (Run, "close"),
    (Keeper, "after_epoch"),
    (Keeper, "save"),
]


class Stopwatch:
    """Adds up the seconds spent in calls, those within one another once."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._within = False

    def watch(self, owner: type, name: str) -> None:
        """Time every call of `owner.name` from now on."""
        function: Callable[..., Any] = getattr(owner, name)
        label = f"{owner.__name__}.{name}"
        self.seconds[label] = 0.0

        def call(*arguments: Any, **named: Any) -> Any:
            if self._within:
                return function(*arguments, **named)
            self._within, started = True, time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds[label] += time.perf_counter() - started
                self._within = False

        setattr(owner, name, call)


def main() -> None:
    """Measure and print."""
    watch = Stopwatch()
    for owner, name in WRITERS:
        watch.watch(owner, name)
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        Store(uri, "tracking overhead")  # the store exists already, as it does for all runs but the first
        keys = [f"trainer.epochs={EPOCHS}", "trainer.figures=none", f"tracking.uri={uri}"]
        plan = build(compose_config(keys))
        started = time.perf_counter()
        execute(plan)
        wall = time.perf_counter() - started
    for label, seconds in watch.seconds.items():
        print(f"{label:20} {seconds:6.3f} s")
    total = sum(watch.seconds.values())
    print(f"recording {total:.3f} s of {wall:.1f} s: {total / wall:.2%}")


if __name__ == "__main__":
    main()
