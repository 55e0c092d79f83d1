"""`hydra/sweeper=grid`: all combinations of the values that are given."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from lenet.tracking.address import masked
from lenet.validation import PositiveInt, validated

Plugins.instance()  # Hydra imports its own plugins anew as it looks for them: an earlier class would not be theirs
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402

TARGET = "hydra_plugins.lenet.GridSweeper"
"""What the configuration calls it: Hydra takes plugins from the package `hydra_plugins` alone."""


class GridSettings:
    """How many jobs are given out at a time (None: all), and values by key."""

    @validated
    def __init__(self, max_batch_size: PositiveInt | None = None, params: dict[str, Any] | None = None) -> None:
        """Nothing is kept: they are only checked, and Hydra's own sweeper reads them."""


class GridSweeper(BasicSweeper):
    """Hydra's own sweeper, without composing every job once more to check it: that has been done when it is called."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        # The launcher has its own; this one is for `multirun.yaml`, in which no password belongs.
        folder = config.hydra.sweep.dir  # told by the time, and kept from here on
        self.config = OmegaConf.create(masked(OmegaConf.to_container(config, resolve=False)))
        self.config.hydra.sweep.dir = folder

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Do nothing."""

    @staticmethod
    def split_arguments(overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:
        """Return the jobs in batches, each job once."""
        jobs = list(dict.fromkeys(map(tuple, BasicSweeper.split_arguments(overrides, None)[0])))
        size = max_batch_size or len(jobs)
        return [[list(job) for job in jobs[start : start + size]] for start in range(0, len(jobs), size)]
