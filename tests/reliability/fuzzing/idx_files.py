"""IDX files, plain and .gz: each stands for both the training and the test part of a data set that is else valid."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from random import Random

import numpy as np

from lenet.data import Dataset, Idx
from tests.reliability.fuzzing.mutations import EXTREMES, mutate_bytes

COUNT = 12


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def pack(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def unpack(data: bytes) -> bytes:
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


class IdxFile:
    """A file of images or of labels."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.name = f"IDX files of {kind}"
        self.kind = kind
        generator = np.random.default_rng(0)
        labels = idx(np.arange(COUNT) % 3)
        images = idx(generator.integers(0, 256, (COUNT, 4, 5)))
        plain = images if kind == "images" else labels
        self.seeds = [plain, pack(plain)]
        self.zeros = [pack(bytes(count)) for count in (0, 1, 1 << 20, 64 << 20)]
        self.folder = folder / kind
        self.folder.mkdir()
        for part in ("train", "t10k"):
            (self.folder / f"{part}-images-idx3-ubyte").write_bytes(images)
            (self.folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
        name = "images-idx3-ubyte" if kind == "images" else "labels-idx1-ubyte"
        self.paths = [self.folder / f"{part}-{name}" for part in ("train", "t10k")]

    def mutate(self, random: Random, base: bytes, other: bytes) -> bytes:
        return mutate_bytes(random, base, other, knowing=(self._resize, self._inside, self._bomb))

    def read(self, content: bytes) -> Dataset:
        for path in self.paths:
            path.write_bytes(content)
        return Idx(self.folder).load(0)

    def names(self, content: bytes) -> list[str]:
        return [str(self.folder)]

    def check(self, content: bytes, data: Dataset) -> None:
        """Hold the arrays to the bytes, decoded by hand."""
        plain = unpack(content)
        assert plain[:3] == b"\0\0\x08"
        assert (data.train_images == data.test_images).all()
        sizes = [int.from_bytes(plain[at : at + 4], "big") for at in range(4, 4 + 4 * plain[3], 4)]
        values = plain[4 + 4 * plain[3] :]
        assert len(values) == math.prod(sizes)
        if self.kind == "images":
            assert (sizes[0], 1, *sizes[1:]) == data.train_images.shape
            assert data.train_images.tobytes() == values
        else:
            assert bytes(int(data.classes[label]) for label in data.train_labels) == values
            assert list(data.classes) == [str(value) for value in sorted(set(values))]

    def _resize(self, random: Random, data: bytes) -> bytes:
        """Have the header claim other sizes, and sometimes also fit them."""
        plain = bytearray(_plain(data))
        count = 3 if self.kind == "images" else 1
        sizes = [random.choice([random.randint(1, 12), *EXTREMES]) % 2**32 for _ in range(count)]
        if random.random() < 0.5:
            sizes = random.choice([[12, 5, 4], [12, 2, 10], [12, 20, 1], [12, 1, 1], [6, 8, 5]])[:count]
        header = plain[:4] + struct.pack(f">{count}I", *sizes)
        values = plain[len(header) :]
        fitting = math.prod(sizes)
        if fitting < 10_000 and random.random() < 0.5:
            values = (values * (fitting // max(1, len(values)) + 1))[:fitting]
        return bytes(header + values)

    def _inside(self, random: Random, data: bytes) -> bytes:
        """Pack what is mutated, so that the packing is right."""
        return pack(mutate_bytes(random, _plain(data), data))

    def _bomb(self, random: Random, data: bytes) -> bytes:
        """Pack many times what the header says, or just that."""
        count = 3 if self.kind == "images" else 1
        sizes = random.choice([(12, 4096, 4096), (2**31, 4096, 4096), (60, 1024, 1024), (12, 4, 5)])[:count]
        header = struct.pack(f">HBB{count}I", 0, 8, count, *sizes)
        return pack(header) + random.choice(self.zeros)  # a file of several parts, one after another


def _plain(data: bytes) -> bytes:
    """Unpack a seed; what is mutated already may not be one any more, or a bomb, and is then taken as it is."""
    try:
        return unpack(data) if len(data) < 10_000 else data
    except (OSError, EOFError, zlib.error):
        return data
