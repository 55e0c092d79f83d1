"""Writing one run: parameters, metrics in batches, tags, artifacts, and its end."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from lenet.errors import Failure
from lenet.files import write_atomically
from lenet.tracking.address import mask
from lenet.tracking.gone import BEAT_SECONDS
from lenet.tracking.tags import HEARTBEAT

log = logging.getLogger(__name__)

Status = Literal["FINISHED", "FAILED", "KILLED"]

# MLflow's limits: a batch holds at most 1,000 entities, 100 of them parameters.
METRICS_PER_BATCH = 900
PARAMS_PER_BATCH = 100
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
DIGEST_LENGTH = 36

# A server's runs are otherwise announced on standard output, password and all.
SILENCE = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}


class TrackingError(Failure):
    """The store did not take, or did not give, what a run needed; the message holds no password."""


class Run:
    """A run that is being written. `Store.start_run` makes it.

    Metrics are buffered and sent once `flush_seconds` have passed since the last sending, so that a run of
    many short epochs is not slowed. Every method but `close` raises RuntimeError after `close`, and
    TrackingError if the store does not answer; metrics that were not delivered then stay in the buffer and
    are sent again with the next.
    """

    def __init__(
        self, client: MlflowClient, run_id: str, name: str, artifact_uri: str, flush_seconds: float = 1.0
    ) -> None:
        self.id = run_id
        self.name = name
        self.flush_seconds = flush_seconds
        self._client = client
        self._artifacts = local_folder(artifact_uri)
        self._buffer: list[Metric] = []
        self._flushed = self._beaten = time.monotonic()
        self._closed = False

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record `metrics` at `step`, with the time of this call.

        NaN survives. MLflow's databases keep an infinity as the largest float; `RunRecord` reads it back as
        infinity.
        """
        self._check_open()
        now = time.time_ns() // 1_000_000
        self._buffer += [Metric(key, float(value), now, step) for key, value in metrics.items()]
        if len(self._buffer) >= METRICS_PER_BATCH or time.monotonic() - self._flushed >= self.flush_seconds:
            self.flush()

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record a flat dictionary; a parameter cannot be changed afterwards.

        Floats are written by `repr`, None as `null`, booleans as in YAML; a text over 6,000 characters ends
        in `…`.
        """
        self._check_open()
        entities = [Param(key, as_text(value, PARAM_LENGTH)) for key, value in params.items()]
        with translated():
            for start in range(0, len(entities), PARAMS_PER_BATCH):
                self._client.log_batch(self.id, params=entities[start : start + PARAMS_PER_BATCH])

    def log_dataset(self, name: str, digest: str, source: str) -> None:
        """Record the data set trained on; the first 36 characters of `digest` are kept, MLflow's limit."""
        self._check_open()
        kind, key = ("http", "url") if source.startswith(("http://", "https://")) else ("local", "uri")
        dataset = Dataset(name, digest[:DIGEST_LENGTH], kind, json.dumps({key: mask(source)}))
        inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])]
        with translated():
            try:
                self._client.log_inputs(self.id, inputs)
            except MlflowException as error:
                # MLflow looks whether it knows the data set, then adds it: another run may have been faster in between.
                if not any(word in reason(error).lower() for word in ("unique", "duplicate")):
                    raise
                self._client.log_inputs(self.id, inputs)

    def set_tag(self, key: str, value: object) -> None:
        """Set or change a tag; a text over 8,000 characters ends in `…`."""
        self._check_open()
        with translated():
            self._client.set_tag(self.id, key, as_text(value, TAG_LENGTH))

    def beat(self) -> None:
        """Say that the run goes on, about once a minute however often this is called: the heartbeat for other hosts.

        A store that does not take it now is told again in a minute; that is no reason to end a run.
        """
        now = time.monotonic()
        if now - self._beaten < BEAT_SECONDS or self._closed:
            return
        self._beaten = now
        try:
            self.set_tag(HEARTBEAT, int(time.time()))
        except TrackingError as error:
            log.warning("%s: the store did not take the heartbeat: %s", self.name, error)

    def log_text(self, text: str, name: str) -> None:
        """Write an artifact such as `config/config.yaml` in UTF-8, passwords in addresses masked."""
        self.log_bytes(mask(text).encode(), name)

    def log_bytes(self, data: bytes, name: str) -> None:
        """Write or replace the artifact `name`, a relative path with `/`.

        A reader sees the old one or the new, whole, where artifacts are files of this machine; elsewhere that
        is up to the server.
        """
        self._check_open()
        path = PurePosixPath(name)
        if not path.name or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"name must be a path inside the run's artifacts, not {name!r}")
        if self._artifacts:
            write_atomically(self._artifacts / path, data)
            return
        with tempfile.TemporaryDirectory() as folder, translated():
            file = Path(folder, path.name)
            file.write_bytes(data)
            self._client.log_artifact(
                self.id, str(file), None if path == PurePosixPath(path.name) else str(path.parent)
            )

    def flush(self) -> None:
        """Send all metrics that are buffered."""
        self._check_open()
        while self._buffer:
            batch = self._buffer[:METRICS_PER_BATCH]
            with translated():
                self._client.log_batch(self.id, metrics=batch)
            # Only now: a batch that was interrupted is sent again, and the store keeps equal points once.
            del self._buffer[: len(batch)]
        self._flushed = time.monotonic()

    def close(self, status: Status) -> None:
        """Send what is buffered and end the run with `status`; does nothing the second time.

        The status is set even where the last metrics cannot be delivered; that raises TrackingError
        afterwards.
        """
        if self._closed:
            return
        try:
            self.flush()
        finally:
            with translated(), defaults(SILENCE):
                self._client.set_terminated(self.id, status)
            self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"run {self.id} is closed: nothing more can be written")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what MLflow raises into TrackingError."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        # `from None`: the original's text can hold the address with its password.
        raise TrackingError(reason(error)) from None


@contextmanager
def defaults(settings: Mapping[str, str]) -> Iterator[None]:
    """Give MLflow's environment variables these values for a while, except those that the user has set."""
    added = {key: value for key, value in settings.items() if key not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for key in added:
            os.environ.pop(key, None)


def reason(error: BaseException) -> str:
    """Return the shortest true account of a failure: its innermost cause, in one line, with passwords
    masked."""
    while inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = inner
    line = " ".join(str(error).split()) or type(error).__name__
    line = mask(line)  # before it is cut, perhaps between a password and its @
    return line if len(line) <= 400 else line[:400] + "…"


def as_text(value: object, limit: int) -> str:
    """Return `value` as a parameter or tag holds it, at most `limit` characters, passwords in addresses
    masked."""
    if value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    else:
        text = mask(repr(value) if isinstance(value, float) else str(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def local_folder(artifact_uri: str) -> Path | None:
    """Return the folder of this machine that an address of artifacts means; None if it means another place."""
    parts = urlsplit(artifact_uri)
    # MLflow decodes a plain path too, so its UI looks for the artifacts there.
    path = {"file": parts.path, "": artifact_uri}.get(parts.scheme)
    return Path(url2pathname(path)) if path else None
