"""Having a source load its data, and saying what is wrong with one of a user's own."""

from collections.abc import Callable

from lenet.common.raised import raised
from lenet.data.dataset import Dataset
from lenet.data.pool import Pool
from lenet.data.sources import DataSource, SplittingSource
from lenet.errors import Failure, UserError, part_called


def load(source: DataSource, seed: int, at_hand: bool = False) -> Dataset:
    """Return what a source loads, or with `at_hand` what it has without a download.

    Raises `UserError` where that cannot be had or is no data set, whatever the source raised.
    """
    found = _guarded(source, "load", lambda: (source.load_at_hand if at_hand else source.load)(seed), Dataset)
    assert isinstance(found, Dataset)
    return found


def read(source: DataSource, seed: int) -> Dataset | Pool:
    """Return what a source reads before it splits off a test set, or what it loads; raises as `load` does.

    A source with a `load` of its own may do there what makes the data what they are, and so is loaded.
    """
    if isinstance(source, SplittingSource) and type(source).load is SplittingSource.load:
        return _guarded(source, "read", source.read, Dataset, Pool)
    return load(source, seed)


def _guarded(
    source: DataSource, method: str, call: Callable[[], object], *kinds: type[Dataset] | type[Pool]
) -> Dataset | Pool:
    try:
        found = call()
    except (UserError, Failure):
        raise
    except Exception as error:
        raise UserError(f"{part_called('data', source)}: {method} raised {raised(error, type(source))}.") from error
    if not isinstance(found, kinds):
        shown = "None" if found is None else f"a value of type {type(found).__name__}"
        accepted = " or ".join(f"a lenet.data.{each.__name__}" for each in kinds)
        raise UserError(f"{part_called('data', source)}: {method} returned {shown}; accepted: {accepted}.")
    return found
