"""Which part raised what ends a run, as far as the traceback tells."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from lenet.common.raised import raised
from lenet.configuration.trust import is_own
from lenet.errors import Failure, UserError, part_called
from lenet.layers.base import Layer, called
from lenet.losses import Loss
from lenet.optimizers import Optimizer
from lenet.schedules import Schedule

CHECK = "; `python -m lenet.check` says which layer is at fault"
"""What is told where a part raised that works on what layers put out, and may be given what it cannot take."""


def culprit(error: Exception) -> str | None:
    """Return which part raised an exception, what and at which line, or None where no part did.

    Of parts that called each other it is the last of a user's own, and only without any the last of ours.
    """
    callers = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    parts = [caller for caller in callers if isinstance(caller, Layer | Loss | Optimizer | Schedule)]
    if not parts:
        return None
    theirs = [part for part in parts if not is_own(type(part).__module__)]
    part = (theirs or parts)[-1]
    hint = CHECK if isinstance(part, Layer | Loss) else ""
    return f"{_called(part)} raised {raised(error, type(part))}{hint}"


@contextmanager
def naming_parts() -> Iterator[None]:
    """Turn what a part raises within, before anything is recorded, into a `UserError` that names the part."""
    try:
        yield
    except (UserError, Failure):
        raise
    except Exception as error:
        if told := culprit(error):
            raise UserError(f"{told}.") from error
        raise


def _called(part: Layer | Loss | Optimizer | Schedule) -> str:
    if isinstance(part, Layer):
        return called(part)
    key = next(kind.__name__.lower() for kind in (Loss, Optimizer, Schedule) if isinstance(part, kind))
    return part_called(key, part)
