"""Named, independent random streams: each a pure function of (seed, name, index)."""

import zlib

import numpy as np


def stream(seed: int, name: str, *index: int) -> np.random.Generator:
    """Return the generator of the stream `name` (`init`, `shuffle`, `split`, …) for a run's `seed`.

    `index` picks one of many streams of that name, such as one for each epoch. Two streams that differ in
    any of these are independent (NumPy's `SeedSequence`), so drawing from one never disturbs another.
    """
    key = (zlib.crc32(name.encode()), *index)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
