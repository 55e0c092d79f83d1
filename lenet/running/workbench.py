"""What one process needs once for all the runs it makes: the store, the data, and what it knows of itself."""

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lenet.configuration.build import Plan, TrackingSettings
from lenet.data import Dataset, load
from lenet.recorded import environment
from lenet.tracking.importing import without_collections

if TYPE_CHECKING:
    from lenet.tracking.store import Store


class Workbench:
    """Opens stores, loads data and asks about the machine when a run first needs it, and remembers the answers.

    Of data only the last set is kept. The code's commit is the one at the first question: modules that are imported do
    not change with the files.
    """

    def __init__(self) -> None:
        self._stores: dict[tuple[str, str], Store] = {}
        self._dataset: tuple[str, Dataset] | None = None
        self._environments: dict[str | None, dict[str, Any]] = {}

    def store(self, settings: TrackingSettings) -> "Store":
        """Return the store that a plan names; raise `UserError` where it cannot be opened."""
        with without_collections():
            from lenet.tracking.store import Store  # MLflow takes more than a second to import

        key = settings.uri, settings.experiment
        if key not in self._stores:
            self._stores[key] = Store(*key)
        return self._stores[key]

    def dataset(self, plan: Plan) -> Dataset:
        """Return the data of a plan; raise `UserError` where they cannot be had."""
        seed = plan.seed if plan.data.splits_by_seed else None
        key = json.dumps([plan.config["data"], seed], sort_keys=True, default=str)
        if self._dataset is None or self._dataset[0] != key:
            self._dataset = None  # two large sets need not be in memory at once
            self._dataset = key, load(plan.data, plan.seed)
        return self._dataset[1]

    @cached_property
    def commit(self) -> str | None:
        """The git commit that the code comes from, if it is known."""
        commit: str | None = environment.git_state()["commit"]
        return commit

    def environment(self, gpu: str | None = None) -> dict[str, Any]:
        """Return what this process runs on, as `environment.describe` does."""
        if gpu not in self._environments:
            self._environments[gpu] = environment.describe(gpu)
        return self._environments[gpu]
