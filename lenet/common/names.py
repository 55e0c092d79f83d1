"""Names made shorter so that they can still be told apart, as those of a sweep's jobs, which are alike at both ends."""

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from lenet.common.tables import cut

KEY = re.compile(r"([\w./@+-]+)=")
"""A key and its `=`, within a name such as `optimizer=sgd,lr=0.1`."""
LEGIBLE = 4
"""Letters of a key by which it is still known."""
ENDS = 20
"""Characters of a name's two ends by which it is still known."""


def legible(names: Sequence[str], widest: int) -> dict[str, str] | None:
    """Return each name in at most `widest` characters, different ones differently; None where that cannot be.

    Names are left as they are, or keys in all of them cut to as many letters as there is room for, but not fewer than
    `LEGIBLE`. A name without siblings, and names without keys, may also be cut in their middle, to `ENDS` or more.
    """
    return _first_distinct(_legible_ways(list(dict.fromkeys(names)), widest), widest)


def shortened(names: Sequence[str], widest: int) -> dict[str, str] | None:
    """Return what `legible` does, or else names whose keys have fewer letters or none, or that lack what all share."""
    distinct = list(dict.fromkeys(names))
    return legible(distinct, widest) or _first_distinct(_other_ways(distinct, widest), widest)


def shortened_or_cut(names: Sequence[str], widest: int) -> dict[str, str]:
    """Return what `shortened` does, or where the names cannot be told apart in so few characters, their two ends."""
    return shortened(names, widest) or {name: cut(name, widest) for name in names}


def _first_distinct(ways: Iterator[dict[str, str]], widest: int) -> dict[str, str] | None:
    fit = (way for way in ways if max(map(len, way.values()), default=0) <= widest)
    return next((way for way in fit if len(set(way.values())) == len(way)), None)


def _legible_ways(names: Sequence[str], widest: int) -> Iterator[dict[str, str]]:
    yield {name: name for name in names}
    longest = max((len(key) for name in names for key in KEY.findall(name)), default=0)
    for letters in reversed(range(LEGIBLE, longest)):
        yield _with_keys_of(letters, names)
    if widest >= ENDS and (len(names) == 1 or not all(map(KEY.search, names))):
        yield {name: cut(name, widest) for name in names}


def _other_ways(names: Sequence[str], widest: int) -> Iterator[dict[str, str]]:
    for letters in reversed(range(LEGIBLE)):
        yield _with_keys_of(letters, names)
    start = _shared(names)
    end = _shared([name[start:][::-1] for name in names])
    own = {name: f"{'…' * (start > 0)}{name[start : len(name) - end]}{'…' * (end > 0)}" for name in names}
    yield {name: cut(text, widest) for name, text in own.items()}
    yield {name: cut(name, widest) for name in names}


def _with_keys_of(letters: int, names: Sequence[str]) -> dict[str, str]:
    return {name: KEY.sub(lambda match: match[1][:letters] + "=" * (letters > 0), name) for name in names}


def _shared(names: Sequence[str]) -> int:
    """Return how many characters the names have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False)))
