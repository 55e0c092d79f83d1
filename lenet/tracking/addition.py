"""Adding what was measured later to a run that has ended, or still goes on: under a new name, over nothing."""

import time
from collections.abc import Mapping

from mlflow.tracking import MlflowClient

from lenet.errors import UserError
from lenet.tracking.artifacts import opened
from lenet.tracking.failures import CONTACT, defaults, translated
from lenet.tracking.opening import turn
from lenet.tracking.operations import Metrics
from lenet.tracking.sender import Sender, local_folder
from lenet.tracking.tags import EVALUATION

FOLDER = "evaluations"
SCORES = "scores.json"
MOST = 1000
"""Evaluations of one name."""


def add_evaluation(
    client: MlflowClient,
    run_id: str,
    name: str,
    metrics: Mapping[str, float],
    step: int,
    artifacts: Mapping[str, bytes],
) -> str:
    """Record metrics as `evaluation/NAME/…` and artifacts as `evaluations/NAME/…`, and return the name.

    That is `name`, with a number where it is taken. The run's status, and whoever writes it, are left alone. Raises
    `UserError` where the store says that the run's artifacts lie elsewhere than in a folder of the run, TrackingError
    where it does not take them.
    """
    with turn(run_id):
        with defaults(CONTACT), translated():
            run = client.get_run(run_id)
        folder = local_folder(run.info.artifact_uri)
        if folder and folder.resolve().parts[-2:] != (run_id, "artifacts"):
            # What a store says is not trusted to be a place to write to.
            raise UserError(f"`{run.info.run_name}`: its artifacts lie in {folder}, which is no folder of this run.")
        free = _free(
            client, run_id, name, {key.split("/")[1] for key in run.data.metrics if key.startswith(EVALUATION)}
        )
        sender = Sender(client, run_id, run.info.artifact_uri)
        for file, data in artifacts.items():
            sender.put(data, f"{FOLDER}/{free}/{file}")
        now = time.time_ns() // 1_000_000
        sender.send(Metrics(points=[(f"{EVALUATION}{free}/{key}", value, now, step) for key, value in metrics.items()]))
        return free


def _free(client: MlflowClient, run_id: str, name: str, taken: set[str]) -> str:
    for number in range(1, MOST):
        free = name if number == 1 else f"{name}-{number}"
        if free in taken:
            continue
        with opened(client, run_id, f"{FOLDER}/{free}/{SCORES}") as there:
            if there is None:
                return free
    raise UserError(f"the run has {MOST} evaluations called {name}.")
