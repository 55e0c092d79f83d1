"""Finding runs in a store that exists, by what a user calls them. Nothing is made and nothing changed."""

import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path

from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from lenet.common.tables import cut
from lenet.errors import UserError, did_you_mean
from lenet.tracking import artifacts
from lenet.tracking.address import mask
from lenet.tracking.failures import reason, translated
from lenet.tracking.opening import reach_store
from lenet.tracking.record import (
    KIND,
    NEWEST_FIRST,
    OLDEST_FIRST,
    PAGE,
    PARENT,
    RunRecord,
    children_of,
    each_run,
    infinite,
)
from lenet.tracking.tags import BEST, REPRODUCES

SHOWN = 5
"""Candidates that an error lists."""

ACCEPTED = "a run's id or the beginning of one, a run's name, `last`, or `best:SWEEP`"


class Finder:
    """The runs of all experiments in the store at `uri`; deleted ones are seen by `deleted` alone.

    Raises `UserError` where there is no store.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._client: MlflowClient = reach_store(uri)

    def experiments(self) -> dict[str, str]:
        """Return the ids of the experiments by their names."""
        with translated():
            return {e.name: e.experiment_id for e in self._client.search_experiments(view_type=ViewType.ACTIVE_ONLY)}

    def find(self, text: str) -> RunRecord:
        """Return the run that `text` means: an id, the unique beginning of one, a name, `last`, or `best:SWEEP`.

        `last` is what was started last, where a sweep counts as one and a repetition of another run does not. A name
        that several runs have, a beginning that several ids have, and what is not there raise `UserError`.
        """
        if text == "last":
            return self._last()
        if text.startswith("best:"):
            return self._best(text.removeprefix("best:"))
        candidates: list[RunRecord] = []
        if re.fullmatch(r"[0-9a-f]{1,32}", text):
            candidates = self.search(f"attributes.run_id LIKE '{text}%'", most=SHOWN + 1)
        if len(text) < 32 or not candidates:
            candidates += islice(self._named(text), SHOWN + 1)
        candidates = list({run.id: run for run in candidates}.values())
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise UserError(f"`{text}` is more than one run: {_listed(candidates)}. Give more of the id.")
        names = dict.fromkeys(run.name for run in self.search("", most=PAGE))
        raise UserError(
            f"there is no run `{text}` in {mask(self.uri)}.{did_you_mean(text, names)} Accepted: {ACCEPTED}."
        )

    def single(self, text: str) -> RunRecord:
        """Return the run that `text` means, as `find` does; raise `UserError` for a sweep as a whole."""
        run = self.find(text)
        if is_sweep(run):
            raise UserError(
                f"`{run.name}` ({run.id}) is a sweep, and one run is needed. Accepted: one of its runs by id or name, "
                f"or best:{text}. A sweep is continued by the command it was started with and sweep.resume={run.id}."
            )
        return run

    def experiment_of(self, run: RunRecord) -> str:
        """Return the name of a run's experiment."""
        return next(name for name, id in self.experiments().items() if id == run.experiment_id)

    def children(self, parent: RunRecord) -> list[RunRecord]:
        """Return a sweep's runs, in the order in which they were started."""
        return self.search(children_of(parent.id), order=OLDEST_FIRST)

    def search(
        self,
        filter_string: str,
        experiments: Iterable[str] | None = None,
        order: str = NEWEST_FIRST,
        most: int | None = None,
    ) -> list[RunRecord]:
        """Return the runs that MLflow's `filter_string` picks, of all experiments or of those with these ids."""
        ids = list(self.experiments().values() if experiments is None else experiments)
        return list(islice(each_run(self._client, ids, filter_string, order, most and min(PAGE, most)), most))

    def filtered(self, filter_string: str, experiments: Iterable[str]) -> list[RunRecord]:
        """Return what a user's filter picks; raise `UserError` with MLflow's own reason where it cannot be read."""
        ids = list(experiments)
        try:
            self._client.search_runs(ids, filter_string, max_results=1)
        except (MlflowException, SQLAlchemyError, ValueError, ArithmeticError) as error:
            with translated():
                self._client.search_runs(ids, max_results=1)  # raises where the store is to blame, not the filter
            raise UserError(
                f"--filter: `{cut(filter_string, 100)}` is no filter: {reason(error).rstrip('.')}. "
                "Accepted: MLflow's, such as \"metrics.`val/accuracy` > 0.9 and params.seed = '0'\"."
            ) from None
        return self.search(filter_string, ids)

    def artifact(self, run_id: str, name: str) -> AbstractContextManager[Path | None]:
        """Give the file of a run's artifact, or None, as `artifacts.opened` does."""
        return artifacts.opened(self._client, run_id, name)

    def histories(self, run: RunRecord, metrics: Collection[str] | None = None) -> dict[str, list[tuple[int, float]]]:
        """Return all points of a run's metrics, or of those named that it has, as (step, value) in order, by name."""
        with translated():
            names = [name for name in run.metrics if metrics is None or name in metrics]
            points = {name: self._client.get_metric_history(run.id, name) for name in names}
        return {name: sorted((p.step, infinite(p.value)) for p in found) for name, found in points.items()}

    def artifact_folder(self, run_id: str) -> Path | None:
        """Return the folder of a run's artifacts, or None where it is not on this machine."""
        return artifacts.folder(self._client, run_id)

    def artifact_sizes(self, run_id: str) -> dict[str, int] | None:
        """Return the bytes of each artifact of a run by its path, as `artifacts.sizes` does."""
        return artifacts.sizes(self._client, run_id)

    def deleted(self) -> list[str]:
        """Return the ids of all deleted runs of the store."""
        return artifacts.deleted_runs(self._client)

    def _named(self, name: str) -> Iterable[RunRecord]:
        quote = '"' if "'" in name else "'"
        if quote not in name:
            return self.search(f"attributes.run_name = {quote}{name}{quote}", most=SHOWN + 1)
        # MLflow's filters have no escapes, so no filter can ask for a name with both kinds of quotes.
        every = each_run(self._client, list(self.experiments().values()), "", NEWEST_FIRST)
        return (run for run in every if run.name == name)

    def _last(self) -> RunRecord:
        # MLflow's filters cannot ask for the lack of a tag.
        for run in each_run(self._client, list(self.experiments().values()), "", NEWEST_FIRST):
            if PARENT not in run.tags and REPRODUCES not in run.tags:
                return run
        raise UserError(f"`last`: there is no run yet in {mask(self.uri)}.")

    def _best(self, text: str) -> RunRecord:
        sweep = self.find(text)
        if not is_sweep(sweep):
            raise UserError(f"best:{text}: `{sweep.name}` ({sweep.id}) is not a sweep. Accepted: the run of a sweep.")
        if BEST not in sweep.tags:
            raise UserError(f"best:{text}: the sweep `{sweep.name}` ({sweep.id}) has no best run: none was validated.")
        best = self.search(f"attributes.run_id = '{sweep.tags[BEST]}'")
        if not best:
            raise UserError(f"best:{text}: the best run of `{sweep.name}`, {sweep.tags[BEST]}, has been deleted.")
        return best[0]


def is_sweep(run: RunRecord) -> bool:
    """Say whether a run is the parent of a sweep."""
    return run.tags.get(KIND) == "sweep"


def _listed(runs: Sequence[RunRecord]) -> str:
    shown = [f"{run.id} ({run.name})" for run in runs[:SHOWN]]
    return ", ".join(shown) + (", …" if len(runs) > SHOWN else "")
