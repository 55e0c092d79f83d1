"""Reading JSON that was stored by a run, and may have been written by anyone."""

import json
from collections import Counter
from typing import Any

from lenet.common.tables import cut
from lenet.errors import UserError

MAX_CHARACTERS = 32 << 20
"""The history of some 100,000 epochs. What JSON describes can take 25 times its own memory."""
MAX_DIGITS = 400
SHOWN = 100


def read_json(text: str, source: str) -> Any:
    """Return what a JSON text from a store holds, in Python's dialect: NaN and infinities stand for themselves.

    Raises one `UserError` that names `source` for what is no JSON, for more than 32 Mi characters, keys that occur
    twice in an object (readers differ in which they take), integers of over 400 digits, halves of characters (which
    could be written nowhere), and for nesting that Python cannot follow.
    """
    if len(text) > MAX_CHARACTERS:
        raise UserError(f"{source} has {len(text):,} characters; accepted: at most {MAX_CHARACTERS:,}")
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_int=_integer)
        if "\\ud" in text.lower() or not text.isascii():
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} is not JSON: {cut(' '.join(str(error).split()), 2 * SHOWN)}") from None
    except MemoryError:
        raise UserError(f"{source} takes more memory than there is") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"it has twice the key {cut(name, SHOWN)!r}")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"it has an integer of {len(digits):,} digits")
    return int(digits)
