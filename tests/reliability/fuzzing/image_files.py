"""Folders of images: one image is made wrong, or the table that labels them."""

import csv
import io
import struct
import warnings
import zlib
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from lenet.data import Dataset, ImageFolder
from tests.reliability.fuzzing.mutations import EXTREMES, mutate_bytes, replace_one

SIDE = 8
MOST = 4096
WORDS = (
    "file",
    "label",
    "a.png",
    "../a.png",
    "/etc/hostname",
    "a",
    "",
    '"',
    '""',
    "\0",
    "\r",
    "1",
    "-1",
    "9" * 5000,
    "é",
    "\x1b[2J",
)


def picture(kind: str, mode: str, **options: Any) -> bytes:
    """Return an image file of a few colours."""
    generator = np.random.default_rng(1)
    shape = (SIDE, SIDE, 3) if mode not in ("I;16", "L") else (SIDE, SIDE)
    values = generator.integers(0, 256, shape)
    image = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.uint8))
    file = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(file, kind, **options)
    return file.getvalue()


class ImageFile:
    """One image file among others in class folders, resized."""

    name = "image files (PNG, JPEG, GIF, BMP, TIFF)"

    def __init__(self, folder: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # lies on its side
        self.seeds = [
            picture("PNG", "L"),
            picture("PNG", "RGBA", exif=exif),
            picture("PNG", "P", transparency=3),
            picture("PNG", "I;16"),
            picture("JPEG", "RGB", exif=exif),
            picture("JPEG", "CMYK", progressive=True),
            picture("GIF", "P", interlace=1, transparency=3),
            picture("BMP", "RGB"),
            picture("TIFF", "L", compression="tiff_lzw"),
            picture("TIFF", "I;16"),
        ]
        self.folder = folder / "images"
        for name in ("train/a", "train/b", "test/a", "test/b"):
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / "0").write_bytes(self.seeds[0])
        self.path = self.folder / "train/b/0"
        self.source = ImageFolder(self.folder, size=(SIDE, SIDE))
        with Image.open(io.BytesIO(self.seeds[0])) as image:
            self.good = np.asarray(image)

    def mutate(self, random: Random, base: bytes, other: bytes) -> bytes:
        return mutate_bytes(random, base, other, knowing=(_in_chunk,) if base[:4] == b"\x89PNG" else ())

    def read(self, content: bytes) -> Dataset:
        self.path.write_bytes(content)
        return self.source.load(0)

    def names(self, content: bytes) -> list[str]:
        return [str(self.path)]

    def check(self, content: bytes, data: Dataset) -> None:
        """Hold the folder to its other images, and this one to its checksums and to what Pillow makes of it."""
        assert data.train_images.shape == (2, 1, SIDE, SIDE)
        assert data.test_images.shape == (2, 1, SIDE, SIDE)
        assert data.train_labels.tolist() in ([0, 1], [1, 0])
        others = [*data.test_images[:, 0], *data.train_images[data.train_labels == 0, 0]]
        assert all((image == self.good).all() for image in others)
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as image:
            assert max(image.size) <= MOST
            if image.format == "PNG":
                assert _png_is_whole(content)
            if image.mode in ("L", "RGB", "CMYK") and not image.has_transparency_data and not image.getexif():
                expected = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
                found = data.train_images[data.train_labels == 1, 0]
                assert (found[0] == np.asarray(expected)).all()


def _png_is_whole(content: bytes) -> bool:
    """Say whether every critical chunk up to the end has its checksum, read by hand from the PNG's description."""
    at = 8
    while True:
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind == b"IEND":
            return True
        body = content[at + 4 : at + 8 + length]
        if kind[:1].isupper() and zlib.crc32(body) != int.from_bytes(
            content[at + 8 + length : at + 12 + length], "big"
        ):
            return False
        at += 12 + length


def _in_chunk(random: Random, data: bytes) -> bytes:
    """Change what a PNG's chunk holds, and make its checksum right again."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return data
    place = random.randrange(len(chunks))
    kind, body = chunks[place]
    if kind == b"IHDR" and random.random() < 0.7:
        width, height = (random.choice([SIDE, 1, 4096, *EXTREMES]) % 2**32 for _ in range(2))
        body = struct.pack(">II", width, height) + body[8:]
    else:
        body = mutate_bytes(random, body, data)
    chunks[place] = kind, body
    return data[:8] + b"".join(
        struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


class LabelTable:
    """A table that labels the images of a folder."""

    name = "tables of labels"

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "pictures"
        self.folder.mkdir()
        for index in range(6):
            (self.folder / f"{index}.png").write_bytes(picture("PNG", "L"))
        rows = [f"{index}.png,{'ab'[index % 2]}" for index in range(6)]
        self.seeds = [
            "\n".join(["file,label", *rows]).encode(),
            "\r\n".join(["﻿more,label,file", *(f'x,"{row[-1]}",{row[:-2]}' for row in rows), ""]).encode(),
        ]
        self.path = self.folder / "labels.csv"
        self.source = ImageFolder(self.folder, labels="labels.csv", test=0.5)

    def mutate(self, random: Random, base: bytes, other: bytes) -> bytes:
        return mutate_bytes(random, base, other, knowing=(_other_cell,))

    def read(self, content: bytes) -> Dataset:
        self.path.write_bytes(content)
        return self.source.load(0)

    def names(self, content: bytes) -> list[str]:
        return [str(self.folder), "data.test"]

    def check(self, content: bytes, data: Dataset) -> None:
        """Hold the labels to the table, row by row."""
        header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        file, label = (len(header) - 1 - header[::-1].index(name) for name in ("file", "label"))
        found = [(row[file], row[label].strip()) for row in rows if row]
        assert len(set(found)) == len({name for name, _ in found}) == len(found)
        assert all((self.folder / name).resolve().parent == self.folder.resolve() for name, _ in found)
        labels = [data.classes[index] for index in [*data.train_labels, *data.test_labels]]
        assert sorted(labels) == sorted(text for _, text in found)
        assert len(data.train_images) + len(data.test_images) == len(found)


def _other_cell(random: Random, data: bytes) -> bytes:
    """Put another word into a cell, or a cell more or less into a row."""
    rows = [line.split(b",") for line in data.split(b"\n")]
    place = random.randrange(len(rows))
    rows[place] = replace_one(random, rows[place], [word.encode() for word in WORDS])
    if random.random() < 0.2:
        rows = replace_one(random, rows, rows)
    return b"\n".join(b",".join(row) for row in rows)
