"""Writing one run: parameters, metrics in batches, tags, artifacts, and its end."""

import json
import logging
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlflow.tracking import MlflowClient

from lenet.files import write_atomically
from lenet.tracking import operations, process
from lenet.tracking.address import mask
from lenet.tracking.delivery import Delivery
from lenet.tracking.failures import TrackingError
from lenet.tracking.gone import BEAT_SECONDS
from lenet.tracking.journal import inside
from lenet.tracking.tags import HEARTBEAT

log = logging.getLogger(__name__)

Status = Literal["FINISHED", "FAILED", "KILLED"]

# Of the 1,000 that MLflow takes at once, and of the 100 parameters; these may be long.
METRICS_PER_BATCH = 900
PARAMS_PER_BATCH = 20
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
DIGEST_LENGTH = 36


class Run:
    """A run that is being written. `Store.start_run` makes it.

    Metrics are buffered and sent once `flush_seconds` have passed since the last sending, so that a run of
    many short epochs is not slowed. Where the store does not answer, what is written is kept on disk and delivered
    later (`Delivery`). Every method but `close` raises RuntimeError after `close`, and TrackingError if the store
    refuses what is written, or neither it nor the disk takes it.

    recorded: the points, by metric and step, that the run has already; they are not recorded again.
    store: the store's address, without passwords, for whoever delivers later.
    """

    def __init__(
        self,
        client: MlflowClient,
        run_id: str,
        name: str,
        artifact_uri: str,
        flush_seconds: float = 1.0,
        recorded: Collection[tuple[str, int]] = (),
        store: str = "",
    ) -> None:
        self.id = run_id
        self.name = name
        self.flush_seconds = flush_seconds
        self._client = client
        self._recorded = recorded
        self._delivery = Delivery(client, run_id, {"name": name, "store": mask(store), **process.identity()})
        self._artifacts = local_folder(artifact_uri)
        self._buffer: list[tuple[str, float, int, int]] = []
        self._flushed = self._beaten = time.monotonic()
        self._closed = False

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record `metrics` at `step`, with the time of this call.

        NaN survives. MLflow's databases keep an infinity as the largest float; `RunRecord` reads it back as
        infinity.
        """
        self._check_open()
        now = time.time_ns() // 1_000_000
        new = {key: float(value) for key, value in metrics.items() if (key, step) not in self._recorded}
        self._buffer += [(key, value, now, step) for key, value in new.items()]
        if len(self._buffer) >= METRICS_PER_BATCH or time.monotonic() - self._flushed >= self.flush_seconds:
            self.flush()

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record a flat dictionary; a parameter cannot be changed afterwards.

        Floats are written by `repr`, None as `null`, booleans as in YAML; a text over 6,000 characters ends
        in `…`.
        """
        self._check_open()
        texts = [(key, as_text(value, PARAM_LENGTH)) for key, value in params.items()]
        for start in range(0, len(texts), PARAMS_PER_BATCH):
            self._delivery.send(operations.params(dict(texts[start : start + PARAMS_PER_BATCH])))

    def log_dataset(self, name: str, digest: str, source: str) -> None:
        """Record the data set trained on; the first 36 characters of `digest` are kept, MLflow's limit."""
        self._check_open()
        kind, key = ("http", "url") if source.startswith(("http://", "https://")) else ("local", "uri")
        told = json.dumps({key: mask(source)})
        self._delivery.send(operations.dataset(name, digest[:DIGEST_LENGTH], kind, told))

    def set_tag(self, key: str, value: object) -> None:
        """Set or change a tag; a text over 8,000 characters ends in `…`."""
        self._check_open()
        self._delivery.send(operations.tag(key, as_text(value, TAG_LENGTH)))

    def delete_tag(self, key: str) -> None:
        """Remove a tag."""
        self._check_open()
        self._delivery.send(operations.untag(key))

    def beat(self) -> None:
        """Say that the run goes on, about once a minute however often this is called: the heartbeat for other hosts.

        A store that does not take it now is told again in a minute; that is no reason to end a run.
        """
        now = time.monotonic()
        if now - self._beaten < BEAT_SECONDS or self._closed:
            return
        self._beaten = now
        try:
            self._delivery.say(operations.tag(HEARTBEAT, str(int(time.time()))))
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
        path = inside(name)
        if self._artifacts:
            target = within(self._artifacts, str(path))
            try:
                write_atomically(target, data)
            except OSError as error:
                raise TrackingError(f"{target} cannot be written: {error.strerror}") from error
        else:
            self._delivery.send(operations.artifact(str(path)), data)

    def flush(self) -> None:
        """Send all metrics that are buffered."""
        self._check_open()
        while self._buffer:
            batch = self._buffer[:METRICS_PER_BATCH]
            self._delivery.send(operations.points(batch))
            # Only now: a batch that was interrupted is sent again, and the store keeps equal points once.
            del self._buffer[: len(batch)]
        self._flushed = time.monotonic()

    def close(self, status: Status) -> None:
        """Send what is buffered and end the run with `status`; does nothing the second time.

        The status is set even where the last metrics are refused; that raises TrackingError afterwards.
        """
        if self._closed:
            return
        try:
            self.flush()
        finally:
            self._closed = True
            self._delivery.send(operations.end(status, time.time_ns() // 1_000_000))
            self._delivery.finish()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"run {self.id} is closed: nothing more can be written")


def within(folder: Path, name: str) -> Path:
    """Return where an artifact lies in a run's folder; raise TrackingError where a link leads out of it."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise TrackingError(f"{path} leads out of the run's artifacts, to {path.resolve()}")
    return path


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
