"""Random numbers in array code, each a pure function of a key and a counter, with the same bits on every backend.

What layers and distortions draw in a step depends on nothing but the seed, the step and the sample's place in the
batch: not on how the batch is cut into sub-batches, who works on them, or what was drawn before. So nothing has to be
stored for an exact resume, and nothing has to be sent to a GPU.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from lenet.arrays.backend import Array, Backend


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


class Uniform:
    """Draws numbers in [0, 1), one for each of the `counters` (uint32, of any shape), in multiples of 2⁻²⁴.

    Two rounds of an integer hash that mixes 32 bits well (https://github.com/skeeto/hash-prospector, its best function
    of two multiplications), keyed before each.
    """

    def __init__(self, counters: Array, backend: Backend) -> None:
        self._xp, self._counters = backend.xp, counters
        self._bits, self._shifted = (backend.xp.empty_like(counters) for _ in range(2))
        self._numbers = backend.xp.empty_like(counters, dtype=backend.dtype)

    def draw(self, key: int, first: int = 0) -> Array:
        """Return the numbers of a key for the counters from `first` on, in a buffer that the next draw writes over."""
        xp, bits = self._xp, self._bits
        xp.add(self._counters, xp.uint32(first % 2**32), out=bits)
        bits ^= xp.uint32(key)
        self._mix(bits)
        bits += xp.uint32((key * 0x9E3779B9 + 0x85EBCA6B) % 2**32)
        self._mix(bits)
        bits >>= 8
        self._numbers[...] = bits
        self._numbers *= 2.0**-24
        return self._numbers

    def _mix(self, bits: Array) -> None:
        """Hash each of the 32-bit integers, in place; products wrap around."""
        shift, shifted = self._xp.right_shift, self._shifted
        bits ^= shift(bits, 16, out=shifted)
        bits *= 0x21F0AAAD
        bits ^= shift(bits, 15, out=shifted)
        bits *= 0xD35A2D97
        bits ^= shift(bits, 15, out=shifted)
