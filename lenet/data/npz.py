"""Reading an .npz file that may come from anywhere: no pickles, and no memory on a header's word.

`np.load` allocates what an array's header claims before it has seen a value, so each array is read here: its
header is held against the length of its entry in the zip file first.
"""

import math
import os
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lenet.common.zipped import CHUNK, MAGIC, MAX_DIRECTORY, METHODS, opened, overclaims
from lenet.data.dataset import MAX_BYTES
from lenet.errors import UserError

MAX_ENTRIES = 1000
END = 65_557
"""Bytes at the end of a zip file that tell of its directory, the longest comment included."""


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, npt.NDArray[np.integer[Any]]]:
    """Read the arrays called `names` that the .npz file holds, all of integers; others are not looked at.

    Raises `UserError` for a file that is no .npz file, is damaged, or claims more than `MAX_BYTES` in an
    array.
    """
    if not os.path.isfile(path):
        raise UserError(f"{path}: found no such file; accepted: an .npz file.")
    try:
        _check_directory(path)
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            file.seek(0)
            if file.read(len(MAGIC)) != MAGIC:
                raise UserError(f"{path}: not an .npz file: something stands before its first array.")
            entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()[:MAX_ENTRIES]}
            return {name: _read_array(archive, entries[name], path) for name in names if name in entries}
    except UserError:
        raise
    except OSError as fault:
        raise UserError(f"{path}: cannot be read ({fault.strerror or fault}).") from fault
    except Exception as fault:
        # Of damaged bytes, zipfile, zlib and NumPy's header parser raise a dozen unrelated types.
        reason = f"{type(fault).__name__}: {fault}".rstrip(": ")
        raise UserError(f"{path}: not an .npz file, or damaged ({reason}); accepted: what np.savez writes.") from fault


def _check_directory(path: Path) -> None:
    """Look at what the file says of its directory before `zipfile` reads that into memory, whole."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - END))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0:
        return  # which `zipfile` says in its own words
    told = int.from_bytes(tail[end + 12 : end + 16], "little")
    elsewhere = tail[max(0, end - 20) : end].startswith(b"PK\x06\x07")  # of 64 bits: for files of over 4 GiB
    if told > MAX_DIRECTORY or (elsewhere and size < 2**32):
        raise UserError(f"{path}: found a directory of over {MAX_DIRECTORY} bytes; accepted: what np.savez writes.")


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> npt.NDArray[np.integer[Any]]:
    where = f"{path}: array {entry.filename.removesuffix('.npy')!r}"
    if entry.file_size > MAX_BYTES or overclaims(entry, path.stat().st_size):
        raise UserError(
            f"{where} claims {entry.file_size} bytes; accepted: at most {MAX_BYTES}, and what the file can hold."
        )
    if entry.compress_type not in METHODS:
        raise UserError(f"{where} is compressed by method {entry.compress_type}; accepted: stored or deflated (0, 8).")
    with opened(archive, entry) as stream:
        shape, fortran_order, dtype = _read_header(stream, where)
        if dtype.kind not in "iu":
            raise UserError(f"{where} is of type {dtype}; accepted: integers (images uint8 or 0 to 255).")
        if any(side < 0 for side in shape):
            raise UserError(f"{where} claims the shape {shape}; accepted: sides of at least 0.")
        values = bytearray()  # never more than `file_size`
        while chunk := stream.read(CHUNK):
            values += chunk
    if len(values) != math.prod(shape) * dtype.itemsize:
        raise UserError(f"{where} claims {dtype}{shape} but holds {len(values)} bytes.")
    return np.frombuffer(values, dtype).reshape(shape, order="F" if fortran_order else "C")


def _read_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read what the array is: its shape, whether it lies in Fortran's order, and its type."""
    try:
        version = np.lib.format.read_magic(stream)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's parser, about a text that is refused anyway
            if version == (1, 0):
                return np.lib.format.read_array_header_1_0(stream)
            if version == (2, 0):
                return np.lib.format.read_array_header_2_0(stream)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
        raise
    except Exception as fault:  # of a damaged header, NumPy's parser raises half a dozen unrelated types
        raise UserError(f"{where} has no header that NumPy can read; accepted: what np.savez writes.") from fault
    raise UserError(f"{where} is of .npy version {version}; accepted: (1, 0) and (2, 0).")
