"""What `hydra/sweeper=optuna` means here: a search for the best validation accuracy, the same for the same seed.

It takes the place of the plugin's own defaults, which minimise, and draw from a seed of the moment. Ranges are written
as values (`optimizer.lr='tag(log, interval(0.001, 0.3))'`) or, in a file, under `hydra.sweeper.params`.
"""

from typing import Any, Literal

from hydra.core.plugins import Plugins

from lenet.common.validation import PositiveInt, UnitInterval, validated
from lenet.configuration import extras
from lenet.configuration.releases import store

GRIDS = ("hydra_plugins.lenet.GridSweeper", "hydra._internal.core_plugins.basic_sweeper.BasicSweeper")
"""The sweepers that do not search: they try all combinations of given values."""
PLUGIN = "hydra_optuna_sweeper"

OPTUNA = {
    "_target_": "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper",
    "n_trials": 20,
    # Trials that are drawn together and run beside one another: more are faster, and learn less from each other. A
    # fixed number, so that the trials do not depend on the machine's.
    "n_jobs": 4,
    "sampler": {"_target_": "optuna.samplers.TPESampler", "seed": "${seed}"},
    "params": None,
    "direction": "maximize",
    "max_failure_rate": 1.0,  # a trial that fails does not end the search
    "storage": None,  # in memory: what the trials found is recorded in their runs
    "study_name": None,
    "search_space": None,
    "custom_search_space": None,
}


class SearchSettings:
    """How many trials there are in all, and at a time. What is searched for is always the best validation accuracy."""

    @validated
    def __init__(
        self,
        n_trials: PositiveInt,
        n_jobs: PositiveInt,
        max_failure_rate: UnitInterval = 1.0,
        direction: Literal["maximize"] = "maximize",
        sampler: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        storage: str | None = None,
        study_name: str | None = None,
        search_space: dict[str, Any] | None = None,
        custom_search_space: str | None = None,
    ) -> None:
        self.n_trials = n_trials
        self.n_jobs = n_jobs


def register() -> None:
    """Offer the search as `hydra/sweeper=optuna`, with the plugin's samplers as `hydra/sweeper/sampler`."""
    Plugins.instance()  # finds the plugins, which register their own defaults
    node = dict(OPTUNA)
    if extras.is_installed(PLUGIN):
        node = {"defaults": [{"sampler": "tpe"}, "_self_"], **node, "sampler": {"seed": "${seed}"}}
    store(group="hydra/sweeper", name="optuna", node=node, provider="lenet")


def get_ready() -> None:
    """See that Optuna is there, and keep it from telling of its study on the terminal: the sweep tells of its runs.

    Raises `UserError` where it is not installed.
    """
    extras.require(PLUGIN, "optuna", "hydra/sweeper=optuna", "hydra/sweeper=grid")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
