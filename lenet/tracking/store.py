"""A store: runs started in it, taken up again, and closed where their process has gone."""

import getpass
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping

from lenet.common.files import remove_unfinished
from lenet.errors import UserError
from lenet.tracking import process
from lenet.tracking.addition import add_evaluation
from lenet.tracking.address import mask
from lenet.tracking.delivery import how_to_deliver
from lenet.tracking.failures import CONTACT, SILENCE, StoreAway, defaults, translated
from lenet.tracking.gone import RUNNING, farewell, last_sign
from lenet.tracking.opening import open_store, turn
from lenet.tracking.operations import TAG_LENGTH, Status, as_text
from lenet.tracking.record import (
    KIND,
    OLDEST_FIRST,
    PARENT,
    Kind,
    RunRecord,
    children_of,
    each_run,
    infinite,
    read_run,
    record_of,
)
from lenet.tracking.registry import register
from lenet.tracking.run import Run
from lenet.tracking.sender import local_folder
from lenet.tracking.tags import ERROR, HEARTBEAT, JOB, REPLACED, SWEPT
from lenet.tracking.undelivered import deliver_ended, folders_of


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
        them. If anything fails, the run that was begun is closed as FAILED (KILLED on an interrupt). Raises
        UserError where the store does not answer.
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
        texts = {key: as_text(value, TAG_LENGTH) for key, value in known.items()}
        try:
            with defaults(CONTACT), translated():
                info = self._client.create_run(self.experiment_id, tags=texts, run_name=name and mask(name)).info
        except StoreAway as error:
            raise UserError(f"tracking.uri: the store `{mask(self.uri)}` does not answer: {error}") from None
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
        """Take up a run that has ended, as its writer; it is RUNNING again, and no point of a metric is recorded twice.

        Raises `UserError` where it, or a child of it, is still being written, where another process has taken it up
        since `record` was read, if it belongs to another experiment, or if something of it is still to be delivered.
        """
        if owed := next(folders_of([record.id]), None):
            raise UserError(
                f"`{record.name}` ({record.id}) has recorded what is not yet delivered: {owed}. "
                f"Deliver it first: {how_to_deliver(self.uri)}"
            )
        with turn(record.id), translated():
            run = self._client.get_run(record.id)
            self._check_free(record, record_of(run))
            folder = local_folder(run.info.artifact_uri)
            if folder and folder.resolve().parts[-2:] != (record.id, "artifacts"):
                # What a store says is not trusted to be a place to write to.
                raise UserError(
                    f"`{record.name}`: its artifacts lie in {folder}, which is no folder of this run; "
                    f"accepted: …/{record.id}/artifacts."
                )
            recorded = {
                (point.key, point.step)
                for metric in run.data.metrics
                for point in self._client.get_metric_history(record.id, metric)
            }
            for key, value in {**process.identity(), HEARTBEAT: str(int(time.time()))}.items():
                self._client.set_tag(record.id, key, value)
            if ERROR in run.data.tags:
                self._client.delete_tag(record.id, ERROR)
            self._client.update_run(record.id, status=RUNNING)
        if folder:
            remove_unfinished(folder)
        return Run(self._client, record.id, run.info.run_name, run.info.artifact_uri, recorded=recorded)

    def _check_free(self, record: RunRecord, current: RunRecord) -> None:
        """Raise `UserError` where somebody else writes a run, or has since `record` was read."""
        for other in (current, *self.children(record.id)):
            if other.status == RUNNING:
                where = f"process {other.tags.get(process.PID)} on {other.tags.get(process.HOST)}"
                raise UserError(f"`{other.name}` ({other.id}) is still running ({where}): wait for it, or stop it.")
        if not process.same(current.tags, record.tags):
            raise UserError(f"`{record.name}` ({record.id}) was taken up by another process meanwhile: look again.")
        if (parent := current.tags.get(PARENT)) and self._lives(parent):
            raise UserError(f"`{record.name}` is a job of a sweep that is still running ({parent}), and left to it.")
        if current.experiment_id != self.experiment_id:
            name = self._client.get_experiment(current.experiment_id).name
            raise UserError(f"`{record.name}` is a run of the experiment {name}: add tracking.experiment={name}.")

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        """Set a tag of a run, which may have ended."""
        with translated():
            self._client.set_tag(run_id, key, as_text(value, TAG_LENGTH))

    def add_evaluation(
        self, run_id: str, name: str, metrics: Mapping[str, float], step: int, artifacts: Mapping[str, bytes]
    ) -> str:
        """Add what was measured of a run afterwards, as `addition.add_evaluation` does; return its name."""
        return add_evaluation(self._client, run_id, name, metrics, step, artifacts)

    def register(self, run: RunRecord, name: str) -> str:
        """Register a run's model as `registry.register` does; return the version."""
        return register(self._client, run, name)

    def children(self, parent_id: str) -> list[RunRecord]:
        """Return the runs whose parent is `parent_id`, in the order in which they were started."""
        return list(each_run(self._client, [self.experiment_id], children_of(parent_id), OLDEST_FIRST))

    def deliver_ended(self, run_ids: Collection[str]) -> bool:
        """Deliver what is kept here of those of these runs that have ended; say whether there was any.

        Raises as `undelivered.deliver_folder` does.
        """
        return deliver_ended(self._client, self.uri, run_ids)

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

        Jobs of a sweep that lives are left to it: it knows what became of them. A run of which something is still to be
        delivered here is left too: its end may be part of it.
        """
        gone = list(self._gone(f"attributes.status = '{RUNNING}'"))
        parents = {run.tags[PARENT] for run in gone if PARENT in run.tags} - {run.id for run in gone}
        alive = {id for id in parents if self._lives(id)}
        for run in gone:
            if run.tags.get(PARENT) not in alive and not any(folders_of([run.id])):
                self._close(run, "KILLED", farewell(run.tags))

    def close_lost(self, parent_id: str, status: Status, reason: str, job: int | None = None) -> list[RunRecord]:
        """Close the children of a sweep that are called running though nothing runs them any more, and return them.

        The sweep knows so, of the job of this number or (None) of all; `reason` is what is known of it.
        """
        children = [run for run in self.children(parent_id) if run.gone or run.status == RUNNING]
        lost = [run for run in children if job is None or run.tags.get(JOB) == str(job)]
        return [run for run in lost if self._close(run, status, reason)]

    def _gone(self, filter_string: str) -> Iterator[RunRecord]:
        for run in each_run(self._client, [self.experiment_id], filter_string, OLDEST_FIRST):
            if run.gone:
                yield run

    def _lives(self, run_id: str) -> bool:
        return read_run(self._client, run_id).status == RUNNING

    def _close(self, run: RunRecord, status: Status, reason: str) -> bool:
        """Close a run, unless it has ended since it was read or another process has taken it up; say whether it did."""
        with turn(run.id), translated(), defaults(SILENCE):
            current = self._client.get_run(run.id)
            if current.info.status != RUNNING or not process.same(current.data.tags, run.tags):
                return False
            points = self._client.get_metric_history(run.id, next(iter(run.metrics))) if run.metrics else []
            spoke = round(last_sign(run.tags, run.start) * 1000)
            last = max([spoke, *(point.timestamp for point in points)])
            self._client.set_tag(run.id, ERROR, as_text(reason, TAG_LENGTH))
            self._client.set_terminated(run.id, status, end_time=last)
            return True

    def history(self, run_id: str, metric: str) -> list[float]:
        """Return the values of a run's metric in the order of their steps."""
        with translated():
            points = self._client.get_metric_history(run_id, metric)
        return [infinite(point.value) for point in sorted(points, key=lambda point: point.step)]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user can be a number without a name
        return "unknown"


def _source() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return f"python -m {spec.name.removesuffix('.__main__')}" if spec else sys.argv[0]
