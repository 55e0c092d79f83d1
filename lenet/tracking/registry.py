"""Registering a run's model under a name, as a version that stays what it is.

A version has a copy of the model of its own, a `LoggedModel` of MLflow's: the run's own model is replaced if the run
is extended, and goes with the run. That copy is not called as the run's is, or `runs:/RUN/model` would find it first.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from lenet.tracking.artifacts import opened
from lenet.tracking.failures import BRIEF, CONTACT, TrackingError, defaults, translated
from lenet.tracking.model import FILES, MODEL, WEIGHTS
from lenet.tracking.opening import turn
from lenet.tracking.record import RunRecord

NAME = "registered"
"""What the copy is called among a run's models."""
DIGEST = "lenet.weights"
"""The tag of a version that holds the digest of its weights."""


def register(client: MlflowClient, run: RunRecord, name: str) -> str:
    """Register a run's model as a version of `name`, and return the version; the one there is if it has these weights.

    Raises TrackingError where the run has no model, or the store does not take it.
    """
    with turn(f"{run.id} {name}"), tempfile.TemporaryDirectory() as place, defaults(CONTACT):
        folder = Path(place, MODEL)
        digest = _fetch(client, run, folder)
        with translated(), defaults(BRIEF):
            for version in client.search_model_versions(f"run_id = '{run.id}'"):
                if version.name == name and version.tags.get(DIGEST) == digest:
                    return str(version.version)
            try:
                client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            model = client.create_logged_model(run.experiment_id, NAME, run.id)
            client.log_model_artifacts(model.model_id, str(folder))
            client.finalize_logged_model(model.model_id, "READY")
            client.log_outputs(run.id, [LoggedModelOutput(model.model_id, 0)])
            source, tags = f"models:/{model.model_id}", {DIGEST: digest}
            made = client.create_model_version(
                name, source, run.id, tags, await_creation_for=0, model_id=model.model_id
            )
            return str(made.version)


def _fetch(client: MlflowClient, run: RunRecord, folder: Path) -> str:
    """Copy a run's model to a folder, and return the digest of its weights."""
    folder.mkdir()
    for file, needed in FILES.items():
        with opened(client, run.id, f"{MODEL}/{file}") as path:
            if path is not None:
                shutil.copyfile(path, folder / file)
            elif needed:
                raise TrackingError(f"`{run.name}` ({run.id}) has no {MODEL}/{file} (trainer.checkpoints)")
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
