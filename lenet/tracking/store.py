"""Opening a store safely, starting runs in it, and reading them back."""

import getpass
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

from lenet.errors import UserError
from lenet.tracking import process
from lenet.tracking.address import mask
from lenet.tracking.gone import RUNNING, farewell, has_gone, last_sign
from lenet.tracking.opening import open_store, turn
from lenet.tracking.run import SILENCE, TAG_LENGTH, Run, Status, as_text, defaults, translated
from lenet.tracking.tags import ERROR, JOB, REPLACED, SWEPT

Kind = Literal["run", "job", "sweep"]
KIND = "lenet.kind"
PARENT = "mlflow.parentRunId"
PAGE = 1000
NEWEST_FIRST, OLDEST_FIRST = "attributes.start_time DESC", "attributes.start_time ASC"


@dataclass(frozen=True)
class RunRecord:
    """A run as the store has it; times in seconds since the epoch, `metrics` the last value of each.

    A run that the store calls running though its process has gone is KILLED here, which is the truth.
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


class Store:
    """The runs of one experiment in the store at `uri` (an address as `tracking_uri` returns it).

    The experiment and, for an SQLite file, the store are made if they do not exist; any number of processes
    may do so at once. A new SQLite store keeps artifacts under `mlruns/` beside it. Raises UserError, naming
    the address, where the store cannot be opened.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri = uri
        self._client, self.experiment_id = open_store(uri, experiment)

    def start_run(
        self,
        name: str | None,
        *,
        kind: Kind = "run",
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
        dataset: tuple[str, str, str] | None = None,
        parent: str | None = None,
        commit: str | None = None,
    ) -> Run:
        """Start a run and record what is known of it before it works.

        `dataset` is (name, digest, source), `parent` the id of the sweep's run, `commit` the code's git
        commit. `tags` are added to MLflow's own (user, source, …) and the process's identity, and win over
        them. If anything fails, the run that was begun is closed as FAILED (KILLED on an interrupt).
        """
        known = {
            "mlflow.user": _user(),
            "mlflow.source.name": _source(),
            "mlflow.source.type": "LOCAL",
            KIND: kind,
            **process.identity(),
            **({"mlflow.source.git.commit": commit} if commit else {}),
            **({PARENT: parent} if parent else {}),
            **(tags or {}),
        }
        with translated():
            texts = {key: as_text(value, TAG_LENGTH) for key, value in known.items()}
            info = self._client.create_run(self.experiment_id, tags=texts, run_name=name and mask(name)).info
        run = Run(self._client, info.run_id, info.run_name, info.artifact_uri)
        try:
            run.log_params(params or {})
            if dataset:
                run.log_dataset(*dataset)
        except BaseException as error:
            run.close("FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        return run

    def reopen(self, record: RunRecord) -> Run:
        """Take up a run that has ended, as its writer; it is RUNNING again.

        Raises `UserError` where it, or a child of it, is still being written, or if it belongs to another experiment.
        """
        with turn(record.id), translated():
            run = self._client.get_run(record.id)
            for other in (_record(run), *self.children(record.id)):
                if other.status == RUNNING:
                    where = f"process {other.tags.get(process.PID)} on {other.tags.get(process.HOST)}"
                    raise UserError(f"`{other.name}` ({other.id}) is still running ({where}): wait for it, or stop it.")
            if run.info.experiment_id != self.experiment_id:
                name = self._client.get_experiment(run.info.experiment_id).name
                raise UserError(f"`{record.name}` is a run of the experiment {name}: add tracking.experiment={name}.")
            for key, value in process.identity().items():
                self._client.set_tag(record.id, key, value)
            if ERROR in run.data.tags:
                self._client.delete_tag(record.id, ERROR)
            self._client.update_run(record.id, status=RUNNING)
        return Run(self._client, record.id, run.info.run_name, run.info.artifact_uri)

    def children(self, parent_id: str) -> list[RunRecord]:
        """Return the runs whose parent is `parent_id`, in the order in which they were started."""
        return list(each_run(self._client, [self.experiment_id], children_of(parent_id), OLDEST_FIRST))

    def mark_replaced(self, earlier: Iterable[RunRecord], children: Iterable[RunRecord]) -> None:
        """Mark the runs of a sweep's earlier attempts whose jobs have another run now, one of `children`; no others."""
        current = {child.tags.get(SWEPT): child.id for child in children}
        for run in earlier:
            stands = current.get(run.tags.get(SWEPT), run.id)
            with translated():
                if stands != run.id:
                    self._client.set_tag(run.id, REPLACED, stands)
                elif REPLACED in run.tags:
                    self._client.delete_tag(run.id, REPLACED)

    def close_gone(self) -> None:
        """Close as KILLED all runs of the experiment whose processes have gone.

        Jobs of a sweep that lives are left to it: it knows what became of them.
        """
        gone = list(self._gone(f"attributes.status = '{RUNNING}'"))
        parents = {run.tags[PARENT] for run in gone if PARENT in run.tags} - {run.id for run in gone}
        alive = {id for id in parents if self._lives(id)}
        for run in gone:
            if run.tags.get(PARENT) not in alive:
                self._close(run, "KILLED", farewell(run.tags))

    def close_lost(self, parent_id: str, status: Status, reason: str, job: int | None = None) -> list[RunRecord]:
        """Close the children of a sweep that are called running though nothing runs them any more, and return them.

        The sweep knows so, of the job of this number or (None) of all; `reason` is what is known of it.
        """
        children = [run for run in self.children(parent_id) if run.gone or run.status == RUNNING]
        lost = [run for run in children if job is None or run.tags.get(JOB) == str(job)]
        for run in lost:
            self._close(run, status, reason)
        return lost

    def _gone(self, filter_string: str) -> Iterator[RunRecord]:
        for run in each_run(self._client, [self.experiment_id], filter_string, OLDEST_FIRST):
            if run.gone:
                yield run

    def _lives(self, run_id: str) -> bool:
        with translated():
            info = self._client.get_run(run_id)
        start = info.info.start_time / 1000
        return bool(info.info.status == RUNNING and not has_gone(RUNNING, info.data.tags, start))

    def _close(self, run: RunRecord, status: Status, reason: str) -> None:
        with translated(), defaults(SILENCE):
            points = self._client.get_metric_history(run.id, next(iter(run.metrics))) if run.metrics else []
            spoke = round(last_sign(run.tags, run.start) * 1000)
            last = max([spoke, *(point.timestamp for point in points)])
            self._client.set_tag(run.id, ERROR, as_text(reason, TAG_LENGTH))
            self._client.set_terminated(run.id, status, end_time=last)

    def history(self, run_id: str, metric: str) -> list[float]:
        """Return the values of a run's metric in the order of their steps."""
        with translated():
            points = self._client.get_metric_history(run_id, metric)
        return [_infinite(point.value) for point in sorted(points, key=lambda point: point.step)]


def children_of(parent_id: str) -> str:
    """Return the filter that picks a sweep's runs."""
    return f"tags.`{PARENT}` = '{parent_id}'"


def each_run(
    client: MlflowClient, experiment_ids: list[str], filter_string: str, order: str, size: int | None = None
) -> Iterator[RunRecord]:
    """Yield the runs that MLflow's filter picks, fetched `size` at a time (None: `PAGE`); deleted ones are left out."""
    token = None
    while experiment_ids:
        with translated():
            page = client.search_runs(experiment_ids, filter_string, ViewType.ACTIVE_ONLY, size or PAGE, [order], token)
        yield from map(_record, page)
        token = page.token
        if not token:
            return


def _record(run: Any) -> RunRecord:
    gone = has_gone(run.info.status, run.data.tags, run.info.start_time / 1000)
    return RunRecord(
        id=run.info.run_id,
        name=run.info.run_name,
        status="KILLED" if gone else run.info.status,
        start=run.info.start_time / 1000,
        end=run.info.end_time / 1000 if run.info.end_time else None,
        params=run.data.params,
        metrics={key: _infinite(value) for key, value in run.data.metrics.items()},
        tags=run.data.tags | ({ERROR: farewell(run.data.tags)} if gone else {}),
        gone=gone,
    )


def _infinite(value: float) -> float:
    # MLflow's databases have no infinity and keep the largest float for it.
    return math.copysign(math.inf, value) if abs(value) == sys.float_info.max else value


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user can be a number without a name
        return "unknown"


def _source() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return f"python -m {spec.name.removesuffix('.__main__')}" if spec else sys.argv[0]
