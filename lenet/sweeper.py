"""`hydra/sweeper=grid`: all combinations of the values that are given."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf

from lenet.tracking.address import mask
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

    def setup(self, *, config: DictConfig, **others: Any) -> None:
        """Get ready as Hydra does; the copy that it writes to `multirun.yaml` has no passwords."""
        super().setup(config=config, **others)
        self.config = OmegaConf.create(_masked(OmegaConf.to_container(config, resolve=False)))
        self.config.hydra.sweep.dir = config.hydra.sweep.dir  # as it is resolved, with the time in it

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Do nothing."""

    @staticmethod
    def split_arguments(overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:
        """Return the jobs in batches, each job once."""
        jobs = list(dict.fromkeys(map(tuple, BasicSweeper.split_arguments(overrides, None)[0])))
        size = max_batch_size or len(jobs)
        return [[list(job) for job in jobs[start : start + size]] for start in range(0, len(jobs), size)]


def _masked(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _masked(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_masked(value) for value in node]
    return mask(node) if isinstance(node, str) else node
