"""Writing one run: parameters, metrics in batches, tags, artifacts, and its end."""

import json
import logging
import time
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from lenet.tracking.address import mask
from lenet.tracking.delivery import Delivery
from lenet.tracking.failures import TrackingError
from lenet.tracking.gone import BEAT_SECONDS
from lenet.tracking.operations import (
    DIGEST_LENGTH,
    METRICS_PER_BATCH,
    PARAM_LENGTH,
    PARAMS_PER_BATCH,
    TAG_LENGTH,
    Input,
    Metrics,
    Params,
    Status,
    Tag,
    TagGone,
    as_text,
)
from lenet.tracking.sender import Sender
from lenet.tracking.tags import HEARTBEAT

log = logging.getLogger(__name__)


class Run:
    """A run that is being written. `Store.start_run` makes it.

    Metrics are buffered and sent once `flush_seconds` have passed since the last sending, so that a run of
    many short epochs is not slowed. What the store does not take, since it does not answer or its disk is full, is
    kept on disk and delivered later (`Delivery`). Every method but `close` raises RuntimeError after `close`, and
    TrackingError where the store refuses.

    recorded: the points, by metric and step, that the run has already; they are not recorded again.
    """

    def __init__(
        self,
        client: MlflowClient,
        run_id: str,
        name: str,
        artifact_uri: str,
        flush_seconds: float = 1.0,
        recorded: Collection[tuple[str, int]] = (),
    ) -> None:
        self.id = run_id
        self.name = name
        self.flush_seconds = flush_seconds
        self._recorded = recorded
        self._sender = Sender(client, run_id, artifact_uri)
        self._delivery = Delivery(self._sender, run_id, name)
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
        new = {key: float(value) for key, value in metrics.items() if (key, step) not in self._recorded}
        self._buffer += [Metric(key, value, now, step) for key, value in new.items()]
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
            self._delivery.send(Params(values=dict(texts[start : start + PARAMS_PER_BATCH])))

    def log_dataset(self, name: str, digest: str, source: str) -> None:
        """Record the data set trained on; the first 36 characters of `digest` are kept, MLflow's limit."""
        self._check_open()
        far = source.startswith(("http://", "https://"))
        told = json.dumps({"url" if far else "uri": mask(source)})
        kept = digest[:DIGEST_LENGTH]
        self._delivery.send(Input(name=name, digest=kept, kind="http" if far else "local", source=told))

    def set_tag(self, key: str, value: object) -> None:
        """Set or change a tag; a text over 8,000 characters ends in `…`."""
        self._check_open()
        self._delivery.send(Tag(key=key, value=as_text(value, TAG_LENGTH)))

    def delete_tag(self, key: str) -> None:
        """Remove a tag, which is there or not."""
        self._check_open()
        self._delivery.send(TagGone(key=key))

    def beat(self) -> None:
        """Say that the run goes on, about once a minute however often this is called: the heartbeat for other hosts.

        A store that does not take it now is told again in a minute; that is no reason to end a run, nor to keep it. If
        something waits to be delivered, that is tried again from time to time.
        """
        if self._closed:
            return
        self._delivery.retry()
        now = time.monotonic()
        if now - self._beaten < BEAT_SECONDS or self._delivery.is_behind:
            return
        self._beaten = now
        try:
            self._sender.send(Tag(key=HEARTBEAT, value=str(int(time.time()))))
        except TrackingError as error:
            log.warning("%s: the store did not take the heartbeat: %s", self.name, error)

    def log_text(self, text: str, name: str) -> None:
        """Write an artifact such as `config/config.yaml` in UTF-8, passwords in addresses masked."""
        self.log_bytes(mask(text).encode(), name)

    def log_bytes(self, data: bytes, name: str) -> None:
        """Write or replace the artifact `name`, a relative path with `/`.

        A reader sees the old one or the new, whole, where artifacts are files of this machine; elsewhere that
        is up to the server. Raises TrackingError where it can be written neither there nor kept here.
        """
        self._check_open()
        path = PurePosixPath(name)
        if not path.name or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"name must be a path inside the run's artifacts, not {name!r}")
        self._delivery.put(data, str(path))

    def flush(self) -> None:
        """Send all metrics that are buffered."""
        self._check_open()
        while self._buffer:
            batch = self._buffer[:METRICS_PER_BATCH]
            points = [(point.key, point.value, point.timestamp, point.step) for point in batch]
            self._delivery.send(Metrics(points=points))
            # Only now: a batch that was interrupted is sent again, and the store keeps equal points once.
            del self._buffer[: len(batch)]
        self._flushed = time.monotonic()

    def close(self, status: Status) -> None:
        """Send what is buffered and end the run with `status`; does nothing the second time.

        What cannot be delivered within seconds is kept, and how to deliver it is said; the run counts as ended.
        The status is set even where the last metrics are refused; that raises TrackingError afterwards.
        """
        if self._closed:
            return
        try:
            self.flush()
        finally:
            self._closed = True
            self._delivery.finish(status)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"run {self.id} is closed: nothing more can be written")
