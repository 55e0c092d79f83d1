"""Runs as a store has them: read back, one page after another, with what is true of those whose process has gone."""

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

from lenet.tracking.failures import translated
from lenet.tracking.gone import farewell, has_gone
from lenet.tracking.importing import collections_paused
from lenet.tracking.tags import CHANGED, DIVERGED, ERROR

Kind = Literal["run", "job", "sweep"]
KIND = "lenet.kind"
PARENT = "mlflow.parentRunId"
PAGE = 1000
NEWEST_FIRST, OLDEST_FIRST = "attributes.start_time DESC", "attributes.start_time ASC"


@dataclass(frozen=True)
class RunRecord:
    """A run as the store has it; times in seconds since the epoch, `metrics` the last value of each.

    A run that the store calls running though its process has gone is KILLED here, which is the truth; a parameter that
    was changed when the run was resumed has its new value.
    """

    id: str
    name: str
    status: str
    start: float
    end: float | None
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    gone: bool = False
    """Whether the store still calls it running."""
    experiment_id: str = ""

    @property
    def diverged(self) -> bool:
        """Whether training ended because the loss was no longer finite, or far too large."""
        return self.tags.get(DIVERGED) == "true"


def children_of(parent_id: str) -> str:
    """Return the filter that picks a sweep's runs."""
    return f"tags.`{PARENT}` = '{parent_id}'"


def each_run(
    client: MlflowClient, experiment_ids: list[str], filter_string: str, order: str, size: int | None = None
) -> Iterator[RunRecord]:
    """Yield the runs that MLflow's filter picks, fetched `size` at a time (None: `PAGE`); deleted ones are left out."""
    token = None
    while experiment_ids:
        with translated(), collections_paused():
            page = client.search_runs(experiment_ids, filter_string, ViewType.ACTIVE_ONLY, size or PAGE, [order], token)
        for record in map(record_of, page):
            # It may have ended, or been taken up again, after it was read and before its process was looked for.
            yield read_run(client, record.id) if record.gone else record
        token = page.token
        if not token:
            return


def read_run(client: MlflowClient, run_id: str) -> RunRecord:
    """Return a run as the store has it now."""
    with translated():
        return record_of(client.get_run(run_id))


def record_of(run: Any) -> RunRecord:
    """Return a run of MLflow's as a record."""
    gone = has_gone(run.info.status, run.data.tags, run.info.start_time / 1000)
    return RunRecord(
        id=run.info.run_id,
        name=run.info.run_name,
        status="KILLED" if gone else run.info.status,
        start=run.info.start_time / 1000,
        end=run.info.end_time / 1000 if run.info.end_time else None,
        params=run.data.params | changes(run.data.tags),
        metrics={key: infinite(value) for key, value in run.data.metrics.items()},
        tags=run.data.tags | ({ERROR: farewell(run.data.tags)} if gone else {}),
        gone=gone,
        experiment_id=run.info.experiment_id,
    )


def changes(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that were changed when a run was resumed, with the values they have now."""
    return {key.removeprefix(CHANGED): value for key, value in tags.items() if key.startswith(CHANGED)}


def infinite(value: float) -> float:
    """Return what a metric's stored value stands for: MLflow's databases keep the largest float for an infinity."""
    return math.copysign(math.inf, value) if abs(value) == sys.float_info.max else value
