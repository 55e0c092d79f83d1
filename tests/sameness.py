"""What two runs must have in common to count as the same: every point of every metric, every array, every figure."""

from typing import Any

import numpy as np
from mlflow import MlflowClient

from tests.conftest import artifacts

RATES = {"samples_per_second"}
TITLED = {"curves.png"}
"""Figures that bear the run's name."""


def points(client: MlflowClient, run: Any) -> dict[str, list[tuple[int, str]]]:
    """Return every point of every metric as (step, value to the last bit), of rates as the step alone."""
    found = {}
    for metric in run.data.metrics:
        history = client.get_metric_history(run.info.run_id, metric)
        found[metric] = sorted((p.step, "" if metric in RATES else float(p.value).hex()) for p in history)
    return found


def arrays(run: Any) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Return every array of a run's checkpoints: dtype, shape, bytes."""
    found = {}
    for path in sorted((artifacts(run) / "checkpoints").iterdir()):
        with np.load(path, allow_pickle=False) as file:
            for name in set(file.files) - {"meta"}:
                found[f"{path.name}/{name}"] = file[name].dtype.str, file[name].shape, file[name].tobytes()
    return found


def figures(run: Any) -> dict[str, bytes]:
    """Return a run's figures but for those that bear its name."""
    folder = artifacts(run) / "figures"
    paths = sorted(folder.iterdir()) if folder.exists() else []
    return {path.name: path.read_bytes() for path in paths if path.name not in TITLED}


def assert_same(client: MlflowClient, run: Any, other: Any) -> None:
    """Hold two runs to each other, bit by bit."""
    assert run.info.status == other.info.status == "FINISHED"
    assert points(client, run) == points(client, other)
    assert arrays(run) == arrays(other)
    assert figures(run) == figures(other)
    for tag in ("diverged", "stopped_early", "lenet.config", "lenet.data", "lenet.error"):
        assert run.data.tags.get(tag) == other.data.tags.get(tag), tag
