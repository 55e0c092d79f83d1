"""The one error that is the user's to mend, and how to suggest what was meant."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """What was asked for is wrong or cannot be had.

    Commands print the message without a traceback and exit with code 2. The message names the key or file,
    what was found and what is accepted.
    """


class Failure(Exception):
    """The work failed for a reason that the message gives. Commands print it and exit with code 1."""


def did_you_mean(name: str, options: Iterable[str], nearness: float = 0.6) -> str:
    """Return `" Did you mean `x`?"` for the option nearest to `name`, or an empty string if none is near."""
    matches = difflib.get_close_matches(name, list(options), n=1, cutoff=nearness)
    return f" Did you mean `{matches[0]}`?" if matches else ""
