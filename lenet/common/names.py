"""Names made shorter so that they can still be told apart, as those of a sweep's jobs, which are alike at both ends."""

import re
from collections.abc import Sequence
from itertools import takewhile

from lenet.common.tables import cut

KEY = re.compile(r"(?<![\w./@+-])([\w./@+-]+)=")
"""A key and its `=`, within a name such as `optimizer=sgd,lr=0.1`."""
LEGIBLE = 4
"""Letters of a key by which it is still known."""
ENDS = 20
"""Characters of a name's two ends by which it is still known."""
BEFORE, AFTER = (",", "=", "/"), ","
"""After which a value begins, and before which it has ended."""


def legible(names: Sequence[str], widest: int) -> dict[str, str] | None:
    """Return each name in at most `widest` characters, different ones differently; None where that cannot be.

    Names are left as they are, or keys in all of them cut to as many letters as there is room for, but not fewer than
    `LEGIBLE`. A name without siblings, and names without keys, may also be cut in their middle, to `ENDS` or more.
    """
    if max(map(len, names), default=0) <= widest:
        return {name: name for name in names}
    if told := _with_cut_keys(names, widest, LEGIBLE, most=widest):
        return told
    if widest >= ENDS and (len(set(names)) == 1 or not all(map(KEY.search, names))):
        return _distinct({name: cut(name, widest) for name in names})
    return None


def shortened(names: Sequence[str], widest: int) -> dict[str, str] | None:
    """Return what `legible` does, or else names whose keys have fewer letters or none, or that lack what all share."""
    for told in (legible(names, widest), _with_cut_keys(names, widest, 0, most=LEGIBLE - 1)):
        if told is not None:
            return told
    own = _distinct(_own(names))
    if own and all(len(text) <= widest for text in own.values()):
        return own
    return _distinct({name: cut(name, widest) for name in names})


def shortened_or_cut(names: Sequence[str], widest: int) -> dict[str, str]:
    """Return what `shortened` does, or where the names cannot be told apart in so few characters, their two ends."""
    told = shortened(names, widest)
    return {name: cut(name, widest) for name in names} if told is None else told


def _distinct(told: dict[str, str]) -> dict[str, str] | None:
    return told if len(set(told.values())) == len(told) else None


def _with_cut_keys(names: Sequence[str], widest: int, least: int, most: int) -> dict[str, str] | None:
    """Return the names with keys of as many letters as there is room for, from `least` to `most`.

    None where there is no room, or names would be alike: with fewer letters they would be too.
    """
    keys = {name: [len(key) for key in KEY.findall(name)] for name in names}

    def fits(letters: int) -> bool:
        saved = (sum(max(0, key - letters) + (not letters) for key in each) for each in keys.values())
        return all(len(name) - less <= widest for name, less in zip(keys, saved, strict=True))

    longest = max((max(each, default=0) for each in keys.values()), default=0)
    letters = next(filter(fits, range(min(most, longest), least - 1, -1)), None)
    if letters is None:
        return None
    return _distinct({name: KEY.sub(lambda key: key[1][:letters] + "=" * (letters > 0), name) for name in keys})


def _own(names: Sequence[str]) -> dict[str, str]:
    """Return the names without what all have at their beginning and at their end; no value is cut in two."""
    start = 1 + max(names[0].rfind(letter, 0, _shared(names)) for letter in BEFORE)
    rests = [name[start:] for name in names]
    shared = rests[0][len(rests[0]) - _shared([rest[::-1] for rest in rests]) :]
    end = len(shared) - shared.find(AFTER) if AFTER in shared else 0
    texts = (f"{'…' * (start > 0)}{rest[: len(rest) - end]}{'…' * (end > 0)}" for rest in rests)
    return dict(zip(names, texts, strict=True))


def _shared(names: Sequence[str]) -> int:
    """Return how many characters the names have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False)))
