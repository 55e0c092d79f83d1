"""`hydra/sweeper=grid`: all combinations of the values that are given; and how many values and jobs there may be."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from lenet.common.validation import PositiveInt, validated
from lenet.errors import UserError
from lenet.tracking.address import masked

Plugins.instance()  # Hydra imports its own plugins anew as it looks for them: an earlier class would not be theirs
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402

MOST_JOBS = 10_000
"""More are taken for a slip of the pen: `seed=range(1000000000)` would fill the memory before the first job."""
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
        # Hydra writes `~key` as `~key=null`, which deletes, from its version 1.4 on, nothing else than null.
        deleted = {f"{key}=null": key for override in overrides for key in _bare(override)}
        whole = BasicSweeper.split_arguments(overrides, None)[0]
        jobs = list(dict.fromkeys(tuple(deleted.get(text, text) for text in job) for job in whole))
        size = max_batch_size or len(jobs)
        return [[list(job) for job in jobs[start : start + size]] for start in range(0, len(jobs), size)]


def grid(overrides: list[Override]) -> list[list[str]]:
    """Return the overrides of every job of a sweep over all combinations; raise `UserError` for too many or none."""
    final = {override.get_key_element(): override for override in overrides}
    for override in final.values():
        if override.is_interval_sweep():
            raise UserError(
                f"`{override.input_line}`: the sweeper does not support sweep type interval, which is for a search. "
                "Accepted: key=a,b, range(…), choice(…), glob(…)."
            )
    _check_number(math.prod(map(_number_of_values, final.values())), final.values())
    return GridSweeper.split_arguments(overrides, None)[0]


def ends(overrides: list[Override]) -> list[list[str]]:
    """Return overrides of jobs that have the values at both ends of a search's ranges and between, and all choices."""
    values: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if override.is_interval_sweep():
            interval: Any = override.value()
            low, high = interval.start, interval.end
            if not low < high:
                raise UserError(f"`{override.input_line}` is a range from {low} to {high}; accepted: from low to high.")
            between = [] if isinstance(low, int) else [low + (high - low) * 0.41421356]  # where whole numbers are wrong
            values[key] = [f"{key}={value}" for value in (low, *between, high)]
        elif override.is_sweep_override():
            _check_number(_number_of_values(override), [override])
            values[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
        else:
            values[key] = [*_bare(override)] or [f"{key}={override.get_value_element_as_str()}"]
    most = max(map(len, values.values()), default=1)
    return [[options[min(job, len(options) - 1)] for options in values.values()] for job in range(most)]


def _bare(override: Override) -> tuple[str, ...]:
    """Return an override that deletes a key whatever its value is, as it is written, in a tuple; of others, none."""
    return (override.get_key_element(),) if override.is_delete() and "=" not in str(override.input_line) else ()


def _number_of_values(override: Override) -> float:
    """Return how many values an override gives to its key, without making them."""
    sweep = override.value() if override.is_sweep_override() else None
    try:
        if isinstance(sweep, RangeSweep):
            assert sweep.start is not None
            assert sweep.stop is not None
            if not all(map(math.isfinite, (sweep.start, sweep.stop, sweep.step))) or sweep.step == 0:
                raise UserError(f"`{override.input_line}` has no end; accepted: range(start, stop, step) of numbers.")
            return max(0, -((sweep.start - sweep.stop) // sweep.step))
    except ArithmeticError:  # numbers beyond those of floats
        return math.inf
    if sweep is None or isinstance(sweep, ChoiceSweep):
        return len(sweep.list) if sweep else 1
    return sum(1 for _ in override.sweep_iterator())  # glob(…): as many as options are there


def _check_number(number: float, overrides: Iterable[Override]) -> None:
    """Raise `UserError`, naming what is swept over, unless it makes a number of jobs that there can be."""
    swept = ", ".join(f"`{override.input_line}`" for override in overrides if override.is_sweep_override())
    if number == 0:
        raise UserError(f"{swept}: there is no value in it, so no job.")
    if number > MOST_JOBS:
        raise UserError(f"{swept}: that is {number:,} jobs or values; accepted: at most {MOST_JOBS:,}.")
