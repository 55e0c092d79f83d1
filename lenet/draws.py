"""Random numbers in array code, each a pure function of a key and a counter, with the same bits on every backend.

What layers and distortions draw in a step depends on nothing but the seed, the step and the sample's place in the
batch: not on how the batch is cut into sub-batches, who works on them, or what was drawn before. So nothing has to be
stored for an exact resume, and nothing has to be sent to a GPU.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenet.backend import Array


@dataclass
class Pass:
    """What the samples that now go through a network are: one object, which all its layers share and only read.

    `step` and `batch` are those of the training step, and `position` is the place in its batch of the first of these
    samples. What is drawn at random for them follows from these and from `seed` alone.
    """

    training: bool = False
    seed: int = 0
    step: int = 0
    batch: int = 1
    position: int = 0


def key(seed: int, name: str, *index: int) -> int:
    """Return the 32-bit key of the draws `name`; `index` tells those of one name apart, such as by the step."""
    sequence = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()), *index))
    return int(sequence.generate_state(1)[0])


def uniform(xp: Any, dtype: npt.DTypeLike, key: int, counters: Array) -> Array:
    """Return numbers in [0, 1), one for each of the `counters` (uint32, of any shape), in multiples of 2⁻²⁴.

    Two rounds of an integer hash that mixes 32 bits well (https://github.com/skeeto/hash-prospector, its best function
    of two multiplications), keyed before each.
    """
    bits = xp.bitwise_xor(counters, xp.uint32(key))
    _mix(bits)
    bits += xp.uint32((key * 0x9E3779B9 + 0x85EBCA6B) % 2**32)
    _mix(bits)
    bits >>= 8
    numbers = bits.astype(dtype)
    numbers *= 2.0**-24
    return numbers


def _mix(bits: Array) -> None:
    """Hash each of the 32-bit integers, in place; products wrap around."""
    bits ^= bits >> 16
    bits *= 0x21F0AAAD
    bits ^= bits >> 15
    bits *= 0xD35A2D97
    bits ^= bits >> 15
