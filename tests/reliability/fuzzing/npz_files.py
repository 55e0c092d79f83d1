"""Archives of arrays, made wrong where an archive and where an array is told: entries, how they are packed, headers."""

import base64
import io
import re
import struct
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from lenet.data import Dataset, Npz
from tests.reliability.fuzzing.mutations import EXTREMES, mutate_bytes

METHODS = (*[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED] * 5, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DESCRIPTIONS = (
    *("|u1", "<i8", ">u4", "<u8", "|b1", "<f4", "<f8", "<c16", "|O", "|S8", "<U3", "<m8[s]", "|V4", "<i16", "", "i1'"),
    "|u1', 'more': '\\d",
)
SHAPES = (
    "()",
    "(0,)",
    "(12,)",
    "(12, 1, 4, 5)",
    "(5, 4, 12)",
    "(12, -4, -5)",
    "(True, 12)",
    "(" * 200,
    "None",
    "(1.5,)",
)
NAMES = ("images", "labels.npy", "../images.npy", "", "é.npy", "test_images.npy", "meta.npy", "x.npy", "labels.npy/")
ZEROS = base64.b85decode(
    "LRx4!F+o`-Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-"
    "Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-"
    "Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-"
    "Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-"
    "Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-"
    "Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-"
    "Q&|oP;@<&Zjz9pw000Oe05E_}Mna$^sS1FXF+o`-Q&~K+(hmUmmOv1|03ZMW2p|A3%n7P#sFbKSq)JpCF64@Ep&&k8pf&"
)
"""600 MiB of zeros, packed by bzip2, which takes seconds."""


def rezip(random: Random, data: bytes) -> bytes:
    """Return an archive, right in itself, of entries some of which are changed; what is none comes back as it is."""
    entries = entries_of(data)
    if not entries:
        return data
    at = random.randrange(len(entries))
    name, content = entries[at]
    change = random.randrange(8)
    if change == 0:
        entries[at] = name, reheader(random, content)
    elif change == 1:
        entries[at] = name, mutate_bytes(random, content, entries[-1][1])
    elif change == 2:
        entries[at] = random.choice([*NAMES, name + "\0", name.upper()]), content
    elif change == 3:
        entries.append(random.choice(entries))  # the same name twice
    elif change == 4:
        del entries[at]
    elif change == 5:
        entries[at] = name, content + bytes(random.choice([1, 100, 1 << 18]))
    elif change == 6:
        return bomb(entries)
    return zip_of(entries, random.choice(METHODS))


def bomb(entries: list[tuple[str, bytes]]) -> bytes:
    """Return an archive whose first entry says that it has 368 bytes, and unpacks to 600 MiB."""
    name, rest = entries[0][0], entries[1:]
    archive = bytearray(zip_of([(name, ZEROS), *rest], zipfile.ZIP_STORED))
    for header, method in ((0, 8), (archive.index(b"PK\1\2"), 10)):  # the entry's own, and the directory's
        struct.pack_into("<H", archive, header + method, zipfile.ZIP_BZIP2)
        struct.pack_into("<I", archive, header + method + 14, 368)
    return bytes(archive)


def zip_of(entries: list[tuple[str, bytes]], method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method, compresslevel=9) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name or "x")
            info.compress_type = method
            info.filename = name
            archive.writestr(info, content)
    return file.getvalue()


def entries_of(data: bytes) -> list[tuple[str, bytes]]:
    """Return the entries of an archive that is not too broken and not too large, else none."""
    if ZEROS in data:
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(info.file_size for info in archive.infolist()) > 1 << 20:
                return []
            return [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # what is broken already has faults of many types
        return []


def reheader(random: Random, content: bytes) -> bytes:
    """Return an .npy file whose header says something else."""
    length = int.from_bytes(content[8:10], "little")
    text, rest = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    change = random.randrange(5)
    number = random.choice([*map(str, EXTREMES), "9" * 30, str(random.randint(0, 20))])
    if change == 0:
        text = re.sub(r"'descr': '[^']*'", lambda _: f"'descr': '{random.choice(DESCRIPTIONS)}'", text)
    elif change == 1:
        text = re.sub(r"'shape': \([^)]*\)", lambda _: f"'shape': {random.choice(SHAPES)}", text)
    elif change == 2:
        text = re.sub(r"'shape': \(\d+", lambda _: f"'shape': ({number}", text)
    elif change == 3:
        text = text.replace("False", random.choice(["True", "1", "None", "'x'"]))
    else:
        text = mutate_bytes(random, text.encode("latin1"), b"{}[](),'\"\\\n").decode("latin1")
    version = random.choice([b"\1\0", b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\0\0", b"\xff\xff"])
    header = text.encode("latin1")
    size = len(header).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + size + header + rest


class NpzData:
    """Data sets in .npz files."""

    name = "data in .npz files"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "data.npz"
        generator = np.random.default_rng(0)
        images = generator.integers(0, 256, (12, 4, 5)).astype(np.uint8)
        labels = np.arange(12) % 3
        test = {"test_images": images[:6], "test_labels": labels[:6]}
        self.seeds = [
            _npz(np.savez, images=images, labels=labels),
            _npz(np.savez, images=images[..., None].astype(np.int16), labels=labels.astype(np.uint64), **test),
            _npz(np.savez_compressed, images=np.stack([images] * 3, axis=1).astype(">i4"), labels=labels - 1),
            _npz(np.savez_compressed, images=np.asfortranarray(images), labels=labels, **test, more=np.zeros(3)),
        ]

    def mutate(self, random: Random, base: bytes, other: bytes) -> bytes:
        return mutate_bytes(random, base, other, knowing=(rezip, rezip))

    def read(self, content: bytes) -> Dataset:
        self.path.write_bytes(content)
        return Npz(self.path).load(0)

    def names(self, content: bytes) -> list[str]:
        return [str(self.path), "data.test"]

    def check(self, content: bytes, data: Dataset) -> None:
        """Hold what was read to what NumPy itself reads, image for image."""
        with np.load(self.path, allow_pickle=False) as arrays:
            parts = [(arrays["images"], arrays["labels"])]
            if "test_images" in arrays:
                parts.append((arrays["test_images"], arrays["test_labels"]))
        expected = sorted(pair for images, labels in parts for pair in _pairs(images, labels))
        found = [(data.train_images, data.train_labels), (data.test_images, data.test_labels)]
        names = np.array(data.classes)
        assert expected == sorted(
            (name, image.tobytes())
            for images, labels in found
            for name, image in zip(names[labels].tolist(), images, strict=True)
        )


def _pairs(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> list[tuple[str, bytes]]:
    """Return each label, as text, with its image's bytes, channels first."""
    assert images.dtype.kind in "iu"
    assert images.min() >= 0
    assert images.max() <= 255
    assert labels.shape == (len(images),)
    if images.ndim == 4 and images.shape[3] in (1, 3):
        images = np.moveaxis(images, 3, 1)
    return [(str(int(label)), image.astype(np.uint8).tobytes()) for label, image in zip(labels, images, strict=True)]


def _npz(save: Any, **arrays: Any) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()
