"""Valid bytes and words made wrong: every mutation is a function of a source of chance and of what it starts from.

The source of chance is a `random.Random`, seeded, or one of Hypothesis's, which then decides every choice itself.
"""

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

Kind = TypeVar("Kind")

EXTREMES = (
    0,
    1,
    2,
    -1,
    -2,
    127,
    128,
    255,
    256,
    4096,
    4097,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    -(2**63),
)
"""Numbers at which fields of 8, 16, 32 and 64 bits turn over, and the largest sides of an image."""
EDGE = 64
"""Bytes at either end of a file, where headers and directories are."""
LONGEST = 1 << 16
"""More than this no input grows to: what it may cost is to be judged for small files."""

Bytes = Callable[[Random, bytes], bytes]


def flip(random: Random, data: bytes) -> bytes:
    """Turn over a few bits."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        changed[place(random, len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def overwrite(random: Random, data: bytes) -> bytes:
    """Put a byte of any value somewhere."""
    at = place(random, len(data))
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]


def truncate(random: Random, data: bytes) -> bytes:
    return data[: place(random, len(data))]


def insert(random: Random, data: bytes) -> bytes:
    """Put in some bytes: the same one many times, or some of the data itself."""
    at, start = place(random, len(data)), place(random, len(data))
    some = data[start : start + random.randint(1, 32)]
    return data[:at] + random.choice([some, bytes([random.randrange(256)]) * random.randint(1, 300)]) + data[at:]


def remove(random: Random, data: bytes) -> bytes:
    at = place(random, len(data))
    return data[:at] + data[at + random.randint(1, 16) :]


def extreme(random: Random, data: bytes) -> bytes:
    """Set a field of 8 to 64 bits, in either order of bytes, to a number at which fields turn over."""
    order, (code, bits) = random.choice("<>"), random.choice([("B", 8), ("H", 16), ("I", 32), ("Q", 64)])
    value = struct.pack(f"{order}{code}", random.choice(EXTREMES) % 2**bits)
    at = place(random, len(data))
    return data[:at] + value + data[at + len(value) :]


def splice(random: Random, first: bytes, second: bytes) -> bytes:
    """Go on with the second where the first breaks off."""
    return first[: place(random, len(first))] + second[place(random, len(second)) :]


BLIND: tuple[Bytes, ...] = (flip, overwrite, truncate, insert, remove, extreme)


def place(random: Random, length: int) -> int:
    """Return a place in that many bytes, at an end of them half of the time."""
    if length <= 1:
        return 0
    edge = min(EDGE, length)
    return random.choice([random.randrange(length), random.randrange(edge), length - 1 - random.randrange(edge)])


def mutate_bytes(random: Random, base: bytes, other: bytes, knowing: Sequence[Bytes] = ()) -> bytes:
    """Return `base` with one to three mutations; `knowing` are some that know the format, taken half of the time."""
    data = base
    for _ in range(random.choice([1, 1, 2, 3])):
        if knowing and random.random() < 0.5:
            data = random.choice(knowing)(random, data)
        elif random.random() < 0.1:
            data = splice(random, data, other)
        elif data:
            data = random.choice(BLIND)(random, data)
    return data[:LONGEST]


def replace_one(random: Random, items: Sequence[Kind], values: Sequence[Kind]) -> list[Kind]:
    """Return the items with one replaced, put in, taken out, or there twice."""
    changed = list(items)
    at = random.randrange(len(changed) + 1)
    changed[at : at + random.randrange(2)] = random.choice([[], [random.choice(values)], changed[at : at + 1] * 2])
    return changed
