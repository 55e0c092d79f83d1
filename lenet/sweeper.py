"""`hydra/sweeper=grid`: all combinations of the values that are given."""

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

TARGET = "hydra_plugins.lenet.GridSweeper"
"""What the configuration calls it: Hydra takes plugins from the package `hydra_plugins` alone."""


class GridSweeper(BasicSweeper):
    """Hydra's own sweeper, without composing every job once more to check it: that has been done when it is called."""

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Do nothing."""
