"""What a run has its store do, as plain data that can be done at once, or be kept and done later.

Each can be done twice without harm: the store keeps equal points of a metric once, and all else replaces what is there.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from lenet.tracking.failures import CONTACT, defaults, quiet, reason, translated

Operation = dict[str, Any]
"""`do`, one of `params`, `points`, `dataset`, `tag`, `untag`, `artifact`, `end`, and what belongs to it."""

# A server's runs are otherwise announced on standard output, password and all.
SILENCE = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}


def params(texts: dict[str, str]) -> Operation:
    """At most 100 parameters, MLflow's limit."""
    return {"do": "params", "params": texts}


def points(metrics: Sequence[tuple[str, float, int, int]]) -> Operation:
    """Points of metrics as (name, value, milliseconds since the epoch, step); at most 1,000, MLflow's limit."""
    return {"do": "points", "points": [list(point) for point in metrics]}


def dataset(name: str, digest: str, kind: str, source: str) -> Operation:
    """The data set that is trained on."""
    return {"do": "dataset", "name": name, "digest": digest, "kind": kind, "source": source}


def tag(key: str, text: str) -> Operation:
    """A tag, set or changed."""
    return {"do": "tag", "key": key, "text": text}


def untag(key: str) -> Operation:
    """A tag that is removed; one that is not there is no error."""
    return {"do": "untag", "key": key}


def artifact(name: str) -> Operation:
    """An artifact, written or replaced; its content goes beside."""
    return {"do": "artifact", "name": name}


def end(status: str, milliseconds: int) -> Operation:
    """The run's end, at a time since the epoch."""
    return {"do": "end", "status": status, "time": milliseconds}


def perform(client: MlflowClient, run_id: str, operation: Operation, content: bytes | None = None) -> None:
    """Have the store do it; raise `UnreachableError` where it cannot now, and `TrackingError` where it will not."""
    with defaults(CONTACT | SILENCE), translated(), quiet():
        match operation:
            case {"do": "params", "params": texts}:
                client.log_batch(run_id, params=[Param(key, text) for key, text in texts.items()])
            case {"do": "points", "points": metrics}:
                client.log_batch(run_id, metrics=[Metric(*point) for point in metrics])
            case {"do": "dataset", "name": name, "digest": digest, "kind": kind, "source": source}:
                _log_dataset(client, run_id, Dataset(name, digest, kind, source))
            case {"do": "tag", "key": key, "text": text}:
                client.set_tag(run_id, key, text)
            case {"do": "untag", "key": key}:
                if key in client.get_run(run_id).data.tags:
                    client.delete_tag(run_id, key)
            case {"do": "artifact", "name": name}:
                _upload(client, run_id, PurePosixPath(name), content or b"")
            case {"do": "end", "status": status, "time": milliseconds}:
                client.set_terminated(run_id, status, end_time=milliseconds)
            case _:
                raise ValueError(f"operation: {json.dumps(operation)[:200]} is none")


def _log_dataset(client: MlflowClient, run_id: str, found: Dataset) -> None:
    inputs = [DatasetInput(found, [InputTag("mlflow.data.context", "train")])]
    try:
        client.log_inputs(run_id, inputs)
    except MlflowException as error:
        # MLflow looks whether it knows the data set, then adds it: another run may have been faster in between.
        if not any(word in reason(error).lower() for word in ("unique", "duplicate")):
            raise
        client.log_inputs(run_id, inputs)


def _upload(client: MlflowClient, run_id: str, path: PurePosixPath, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, path.name)
        file.write_bytes(content)
        client.log_artifact(run_id, str(file), None if path == PurePosixPath(path.name) else str(path.parent))
