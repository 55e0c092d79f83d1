"""Having a source load its data, and saying what is wrong with one of a user's own."""

from lenet.common.raised import raised
from lenet.data.dataset import Dataset
from lenet.data.sources import DataSource
from lenet.errors import Failure, UserError


def load(source: DataSource, seed: int, at_hand: bool = False) -> Dataset:
    """Return what a source loads, or with `at_hand` what it has without a download.

    Raises `UserError` where that cannot be had or is no data set, whatever the source raised.
    """
    kind = type(source)
    called = f"`data` ({kind.__module__}.{kind.__qualname__})"
    for name in ("validation", "scaling"):
        if not hasattr(source, name):
            raise UserError(f"{called}: it has no `{name}`; accepted: a constructor that calls super().__init__().")
    try:
        dataset: object = (source.load_at_hand if at_hand else source.load)(seed)
    except (UserError, Failure):
        raise
    except Exception as error:
        raise UserError(f"{called}: load raised {raised(error, kind)}.") from error
    if not isinstance(dataset, Dataset):
        found = "None" if dataset is None else f"a value of type {type(dataset).__name__}"
        raise UserError(f"{called}: load returned {found}; accepted: a lenet.data.Dataset.")
    return dataset
