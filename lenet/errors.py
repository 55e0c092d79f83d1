"""The one error that is the user's to mend, and how messages call parts and suggest what was meant."""

import difflib
from collections.abc import Iterable

LONGEST = 3000
"""Characters of a message; of more, the middle is left out."""


class _Message(Exception):
    """Something to be told, which can quote anything: it is made fit to be printed."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class UserError(_Message):
    """What was asked for is wrong or cannot be had.

    Commands print the message without a traceback and exit with code 2. The message names the key or file,
    what was found and what is accepted.
    """


class Failure(_Message):
    """The work failed for a reason that the message gives. Commands print it and exit with code 1."""


def printable(text: str) -> str:
    """Return a text on which no terminal acts and no encoding fails, and that is not too long: `\\x1b` for Escape.

    Tabs are written out too: of what a message quotes, they would hide how much there is.
    """
    return _shortened(escaped(_shortened(text)).replace("\t", "\\t"))


def escaped(text: str) -> str:
    """Return a text with all that steers a terminal, but for ends of lines and tabs, written out."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST * 2 // 3]} […] {text[-LONGEST // 3 :]}"


def part_called(key: str, part: object) -> str:
    """Return what a message calls a part: its key in the configuration, and its class."""
    kind = type(part)
    return f"`{key}` ({kind.__module__}.{kind.__qualname__})"


def did_you_mean(name: str, options: Iterable[str], nearness: float = 0.6) -> str:
    """Return `" Did you mean `x`?"` for the option nearest to `name`, or an empty string if none is near."""
    matches = difflib.get_close_matches(name, list(options), n=1, cutoff=nearness)
    return f" Did you mean `{matches[0]}`?" if matches else ""
