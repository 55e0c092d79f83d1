"""What objects of a user's own are told of a run: its beginning, each epoch's record, its end."""

import copy
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER = "callbacks"
"""What names of metrics and artifacts that callbacks record begin with, before the callback's own name."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
METRIC = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
LONGEST = 250
"""Characters of a metric's whole name that MLflow takes."""


class RunView:
    """A run as a callback sees it: to be looked at, and added to in a folder of the callback's own.

    What it returns are copies: nothing that is done to them reaches the training.

    id, name: of the MLflow run.
    epochs: how many it is to train.
    config: its whole configuration, with passwords in addresses masked.
    """

    def __init__(
        self,
        *,
        id: str,
        name: str,
        epochs: int,
        config: Mapping[str, Any],
        callback: str,
        history: Callable[[], list[dict[str, float]]],
        parameters: Callable[[], dict[str, npt.NDArray[np.floating[Any]]]],
        log_text: Callable[[str, str], None],
        log_bytes: Callable[[bytes, str], None],
    ) -> None:
        self.id = id
        self.name = name
        self.epochs = epochs
        self.config = copy.deepcopy(dict(config))
        self._folder = f"{FOLDER}/{callback}"
        self._history = history
        self._parameters = parameters
        self._log_text = log_text
        self._log_bytes = log_bytes

    @property
    def history(self) -> list[dict[str, float]]:
        """The records of all finished epochs, with those from before a run went on; an epoch that diverged has none."""
        return self._history()

    def parameters(self) -> dict[str, npt.NDArray[np.floating[Any]]]:
        """Return all weights and biases of this moment by name, such as `conv1/weight`, as NumPy arrays."""
        return self._parameters()

    def log_text(self, text: str, name: str) -> None:
        """Write or replace the artifact `callbacks/<the callback's name>/<name>`, in UTF-8."""
        self._log_text(text, self._path(name))

    def log_bytes(self, data: bytes, name: str) -> None:
        """Write or replace the artifact `callbacks/<the callback's name>/<name>`, such as a figure's PNG."""
        self._log_bytes(data, self._path(name))

    def _path(self, name: str) -> str:
        path = PurePosixPath(name)
        if not path.name or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"an artifact's name must be a path inside the callback's folder, not {name!r}")
        return f"{self._folder}/{path}"


class Callback:
    """Told how a run goes; every method does nothing unless it is overridden.

    The configuration's group `callbacks` names them: a mapping of names of your own to nodes with `_target_`. Objects
    are made whenever a configuration is checked, also where it is not run, so a constructor should only keep its
    arguments. What a method raises ends the run as FAILED, but for `on_exception`, of which it is only logged.

    A run that goes on after it was killed tells new objects: of its beginning once more, and again of the epochs since
    its last checkpoint. So what follows from earlier epochs is best taken from `run.history`.
    """

    def on_run_begin(self, run: RunView) -> None:
        """Be told that training begins, or goes on: then `run.history` is not empty."""

    def on_epoch_end(self, run: RunView, epoch: int, record: Mapping[str, float]) -> Mapping[str, float] | None:
        """Be told what an epoch, counted from 1, measured: `train/loss`, `val/accuracy`, `lr`, ….

        What is returned is recorded as metrics `callbacks/<the callback's name>/…` of this epoch. `lenet.reproduce`
        compares them, so times are better not among them.
        """
        return None

    def on_run_end(self, run: RunView, metrics: Mapping[str, float]) -> None:
        """Be told the final metrics, such as `test/accuracy`, once all else is recorded; not of a run that failed."""

    def on_exception(self, run: RunView, error: BaseException) -> None:
        """Be told what ends the run as FAILED, or as KILLED (`KeyboardInterrupt`), before its status is recorded."""


def metrics_of(name: str, returned: object) -> dict[str, float]:
    """Return what the callback `name` has returned for an epoch as metrics by their whole names.

    Raises TypeError or ValueError for what is no mapping of names to numbers.
    """
    if returned is None:
        return {}
    if not isinstance(returned, Mapping):
        raise TypeError(f"it returned {returned!r}; accepted: a mapping of metrics' names to numbers, or None")
    metrics = {}
    for key, value in returned.items():
        whole = f"{FOLDER}/{name}/{key}"
        if not isinstance(key, str) or not METRIC.fullmatch(key) or len(whole) > LONGEST:
            raise ValueError(f"it returned a metric named {key!r}; accepted: letters, digits and any of _ . - /")
        try:
            metrics[whole] = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"it returned {value!r} as the metric {key!r}; accepted: a number") from None
    return metrics
