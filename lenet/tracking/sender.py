"""Sending one run's operations and artifacts to its store, and knocking at one that did not answer."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import pathname2url, url2pathname

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from lenet.common.files import write_atomically
from lenet.tracking.address import sqlite_path
from lenet.tracking.failures import (
    CONTACT,
    CONTACT_SECONDS,
    SILENCE,
    StoreAway,
    TrackingError,
    defaults,
    reason,
    translated,
)
from lenet.tracking.operations import End, Input, Metrics, Operation, Params, Tag, TagGone

KNOCK = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}
KNOCK_SECONDS = 0.1
"""How long a knock waits for another writer of an SQLite store."""


class Sender:
    """Sends what one run has to say.

    All methods raise StoreAway where the store does not answer for some seconds, which are few since training waits,
    and TrackingError where it refuses. Every operation may be sent again.
    """

    def __init__(self, client: MlflowClient, run_id: str, artifact_uri: str) -> None:
        self.uri = str(client.tracking_uri)
        self.run_id = run_id
        self._client = client
        self._artifacts = local_folder(artifact_uri)
        self._file = sqlite_path(self.uri)

    @property
    def has_artifacts_here(self) -> bool:
        """Whether artifacts are files of this machine, for which the store need not answer."""
        return self._artifacts is not None

    def send(self, operation: Operation) -> None:
        """Send an operation."""
        with self._asking():
            self._wait_for_writers(CONTACT_SECONDS)
            match operation:
                case Metrics(points=points):
                    self._client.log_batch(self.run_id, metrics=[Metric(*point) for point in points])
                case Params(values=values):
                    self._client.log_batch(self.run_id, params=[Param(*pair) for pair in values.items()])
                case Tag(key=key, value=value):
                    self._client.set_tag(self.run_id, key, value)
                case TagGone(key=key):
                    self._delete_tag(key)
                case Input():
                    self._log_input(operation)
                case End(status=status, time=time):
                    self._client.set_terminated(self.run_id, status, time)

    def put(self, data: bytes, name: str) -> None:
        """Write or replace the artifact `name`."""
        path = PurePosixPath(name)
        with self._asking():
            if self._artifacts:
                write_atomically(within(self._artifacts, name), data)
                return
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, path.name)
                file.write_bytes(data)
                try:
                    self._client.log_artifact(self.run_id, str(file), str(path.parent) if path.parent.name else None)
                except (MlflowException, OSError):
                    raise
                except Exception as error:  # each kind of cloud storage has exceptions of its own
                    raise StoreAway(reason(error)) from None

    def knock(self) -> None:
        """Raise StoreAway at once where the store still does not answer."""
        with defaults(KNOCK), self._asking():
            if self._file:
                self._wait_for_writers(KNOCK_SECONDS)
            else:
                self._client.get_run(self.run_id)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        with defaults(CONTACT), defaults(SILENCE), translated():
            yield

    def _wait_for_writers(self, seconds: float) -> None:
        """Raise where another process goes on writing to an SQLite store: MLflow itself would wait for 20 s."""
        if not self._file:
            return
        address = f"file:{pathname2url(str(self._file))}?mode=rw"
        with closing(sqlite3.connect(address, timeout=seconds, uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")

    def _delete_tag(self, key: str) -> None:
        try:
            self._client.delete_tag(self.run_id, key)
        except MlflowException as error:
            # It was removed before: this is sent again, or its answer was lost.
            if error.error_code != "RESOURCE_DOES_NOT_EXIST" or key in self._client.get_run(self.run_id).data.tags:
                raise

    def _log_input(self, data: Input) -> None:
        dataset = Dataset(data.name, data.digest, data.kind, data.source)
        inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])]
        try:
            self._client.log_inputs(self.run_id, inputs)
        except MlflowException as error:
            # MLflow looks whether it knows the data set, then adds it: another run may have been faster in between.
            if not any(word in reason(error).lower() for word in ("unique", "duplicate")):
                raise
            self._client.log_inputs(self.run_id, inputs)


def local_folder(artifact_uri: str) -> Path | None:
    """Return the folder of this machine that an address of artifacts means; None if it means another place."""
    parts = urlsplit(artifact_uri)
    # MLflow decodes a plain path too, so its UI looks for the artifacts there.
    path = {"file": parts.path, "": artifact_uri}.get(parts.scheme)
    return Path(url2pathname(path)) if path else None


def within(folder: Path, name: str) -> Path:
    """Return where an artifact lies in a run's folder; raise TrackingError where a link leads out of it."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise TrackingError(f"{path} leads out of the run's artifacts, to {path.resolve()}")
    return path
