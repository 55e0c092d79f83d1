"""The IDX file format of MNIST (http://yann.lecun.com/exdb/mnist/), plain or gzip, read with bounded memory.

A file is two zero bytes, a type code (0x08: unsigned byte), the number of dimensions, each dimension as a
big-endian 32-bit number, then the values. A file is gzip if it begins like one, whatever its name.
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np

from lenet.common.zipped import MAX_DEFLATE_RATIO
from lenet.data.dataset import MAX_BYTES, MAX_SIDE, Images, Labels
from lenet.errors import UserError

Kind = Literal["images", "labels"]
DIMENSIONS: dict[Kind, int] = {"images": 3, "labels": 1}

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 2**20


def read_idx(path: Path, kind: Kind) -> bytearray:
    """Read a whole IDX file of `kind`, unpacked, header and all.

    The header is checked before the values are read, no more is read than it claims, and it may not claim
    more than `MAX_BYTES`. Raises `UserError` for whatever does not fit: type, dimensions, length, damaged
    gzip.
    """
    if not os.path.isfile(path):
        raise UserError(f"{path}: found no such file; accepted: an IDX file of {kind}.")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            if packed:
                with gzip.open(file) as stream:
                    return _read(cast(BinaryIO, stream), path, kind, longest=size * MAX_DEFLATE_RATIO)
            return _read(file, path, kind, longest=size)
    except (gzip.BadGzipFile, zlib.error, EOFError) as fault:
        raise UserError(f"{path}: damaged or truncated gzip ({fault}); accepted: a whole IDX file.") from fault
    except OSError as fault:
        raise UserError(f"{path}: cannot be read ({fault.strerror or fault}).") from fault


def idx_images(content: bytearray) -> Images:
    """Return the images (N, 1, H, W) of what `read_idx` has read, without a copy."""
    count, height, width = _dimensions(content)
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, 1, height, width)


def idx_labels(content: bytearray) -> Labels:
    """Return the labels (N,) of what `read_idx` has read."""
    return np.frombuffer(content, np.uint8, offset=8).astype(np.int64)


def check_counts(images: Images, labels: Labels, images_path: Path, labels_path: Path) -> None:
    """Raise `UserError`, naming both files, unless there is one label for each image."""
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} holds {len(images)} images, {labels_path} {len(labels)} labels; "
            "accepted: one label for each image."
        )


def _read(stream: BinaryIO, path: Path, kind: Kind, longest: int) -> bytearray:
    """Read header and values from `stream`, which cannot hold more than `longest` bytes."""
    content = bytearray(_read_header(stream, path, kind))
    expected = len(content) + math.prod(_dimensions(content))
    if expected > min(longest, MAX_BYTES):
        raise UserError(
            f"{path}: its header claims {expected} bytes; accepted: at most {MAX_BYTES}, "
            f"and the file itself cannot hold more than {longest}."
        )
    # Grows with what is there: the claim alone allocates nothing.
    while len(content) < expected and (chunk := stream.read(min(CHUNK, expected - len(content)))):
        content += chunk
    if len(content) < expected:
        raise UserError(f"{path}: truncated: found {len(content)} bytes; its header claims {expected}.")
    if stream.read(1):
        raise UserError(f"{path}: found more bytes than the {expected} that its header claims.")
    return content


def _read_header(stream: BinaryIO, path: Path, kind: Kind) -> bytes:
    magic = stream.read(4)
    accepted = f"accepted: an IDX file of {kind}, which begins 00 00 08 {DIMENSIONS[kind]:02x}"
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise UserError(f"{path}: not an IDX file: it begins {magic.hex(' ') or 'with nothing'}; {accepted}.")
    if magic[2] != UNSIGNED_BYTE:
        raise UserError(f"{path}: found values of type 0x{magic[2]:02x}; {accepted}, unsigned bytes.")
    if magic[3] != DIMENSIONS[kind]:
        other = {1: " (a file of labels)", 3: " (a file of images)"}.get(magic[3], "")
        raise UserError(f"{path}: found {magic[3]} dimensions{other}; {accepted}.")
    header = magic + stream.read(4 * DIMENSIONS[kind])
    if len(header) < 4 + 4 * DIMENSIONS[kind]:
        raise UserError(f"{path}: truncated in its header, after {len(header)} bytes; {accepted}.")
    count, *sides = _dimensions(header)
    if count == 0:
        raise UserError(f"{path}: found no {kind} (a count of 0); accepted: at least one.")
    if any(not 1 <= side <= MAX_SIDE for side in sides):
        raise UserError(f"{path}: found images of {sides} pixels; accepted: 1 to {MAX_SIDE} a side.")
    return header


def _dimensions(content: bytes | bytearray) -> list[int]:
    return list(struct.unpack_from(f">{content[3]}I", content, 4))
