"""Reading a checkpoint, of which nothing is trusted."""

import io
import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lenet.checkpoint.form import FORMAT, KINDS, MAX_ARRAYS, MAX_BYTES, MAX_HEADER, Checkpoint, is_name
from lenet.common.stored_json import MAX_CHARACTERS, read_json
from lenet.common.tables import cut
from lenet.common.zipped import CHUNK, MAGIC, MAX_DIRECTORY, METHODS, opened, overclaims
from lenet.errors import UserError

MAX_DIMENSIONS = 32
MAX_SAID = 300
MAX_REPORTED_NAME = 100

# The header that NumPy writes for an array of plain numbers or text, and no other: nothing in it is
# evaluated.
_HEADER = re.compile(
    rb"\{'descr': '([<>|=][a-zA-Z]\d{1,9})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), \}\s*"
)
_MALFORMED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, OverflowError)
"""What `zipfile` raises on bytes that are no archive."""


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises UserError, naming the file, for anything but an intact file of this format: no .npz, truncated, a
    checksum that differs, pickled objects, sizes that contradict each other or exceed 1 GiB in all, no
    `meta`, another format. The arrays are read-only, and little more memory is taken than they have.
    """
    if not path.is_file():
        raise UserError(f"checkpoint {path}: no such file")
    try:
        arrays = _read(path)
    except OSError as error:
        raise UserError(f"checkpoint {path}: cannot be read: {error.strerror or error}") from None
    except (_DamagedError, *_MALFORMED) as error:
        raise UserError(f"checkpoint {path}: is damaged or not a checkpoint: {_said(error)}") from None
    except MemoryError:
        raise UserError(f"checkpoint {path}: takes more memory than there is") from None
    return Checkpoint(path, arrays, _meta(path, arrays.pop("meta", None)))


class _DamagedError(Exception):
    """The file contradicts itself or the format."""


def _read(path: Path) -> dict[str, NDArray[Any]]:
    with open(path, "rb") as raw:
        held = _check_directory(raw)
        with zipfile.ZipFile(raw) as file:
            entries = file.infolist()
            total = sum(entry.file_size for entry in entries)
            if len(entries) > MAX_ARRAYS or total > MAX_BYTES:
                raise _DamagedError(
                    f"it declares {len(entries):,} arrays of {total:,} bytes in all; "
                    f"at most {MAX_ARRAYS:,} of {MAX_BYTES:,} are read"
                )
            arrays: dict[str, NDArray[Any]] = {}
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                if name == entry.filename or not is_name(name) or name in arrays:
                    raise _DamagedError(f"{cut(entry.filename, MAX_REPORTED_NAME)!r} is no array, or there twice")
                if entry.compress_type not in METHODS:
                    raise _DamagedError(f"`{name}` is compressed in another way than NumPy does")
                if overclaims(entry, held):
                    raise _DamagedError(f"`{name}` claims {entry.file_size:,} bytes, more than the file can hold")
                with opened(file, entry) as stream:
                    arrays[name] = _read_array(stream, name, entry.file_size)
    return arrays


def _check_directory(raw: IO[bytes]) -> int:
    """Look at the archive's first and last bytes before `zipfile` reads its whole directory; return the file's size."""
    if raw.read(len(MAGIC)) != MAGIC:
        raise _DamagedError("it does not begin as an .npz does")
    size = raw.seek(0, io.SEEK_END)
    raw.seek(max(0, size - 42))
    tail = raw.read()
    if len(tail) < 42 or tail[20:24] != b"PK\x05\x06":
        raise _DamagedError("it does not end as an .npz does (cut short, or another kind of file)")
    if tail[:4] == b"PK\x06\x07" or int.from_bytes(tail[32:36], "little") > MAX_DIRECTORY:
        raise _DamagedError(f"its directory of arrays is larger than {MAX_DIRECTORY:,} bytes")
    return size


def _read_array(stream: IO[bytes], name: str, size: int) -> NDArray[Any]:
    """Read one array, read-only, whose entry is said to be `size` bytes."""
    magic = stream.read(10)
    length = int.from_bytes(magic[8:10], "little")
    header = stream.read(length) if magic[:8] == b"\x93NUMPY\x01\x00" and length <= MAX_HEADER else b""
    match = _HEADER.fullmatch(header)
    if not match or match[1][1:2].decode() not in KINDS:
        raise _DamagedError(f"`{name}` has no header of a plain array (pickled objects are never loaded)")
    try:
        dtype = np.dtype(match[1].decode())
    except TypeError:
        raise _DamagedError(f"`{name}` has the unknown dtype {match[1].decode()}") from None
    shape = tuple(int(number) for number in match[3].decode().replace(",", " ").split())
    needed = math.prod(shape) * dtype.itemsize
    if (
        len(shape) > MAX_DIMENSIONS
        or max(shape, default=0) > MAX_BYTES
        or dtype.itemsize == 0
        or needed != size - 10 - length
    ):
        took = f"shape {cut(str(shape), MAX_REPORTED_NAME)} and dtype {dtype} take"
        raise _DamagedError(f"`{name}` has {size:,} bytes, which is not what {took}")
    # Exactly as much as declared (a compressed entry can hold more than it says), then the end with its
    # checksum.
    data = bytearray()
    while len(data) < needed and (chunk := stream.read(min(CHUNK, needed - len(data)))):
        data += chunk
    if len(data) != needed or stream.read(1):
        raise _DamagedError(f"`{name}` is longer or shorter than it says")
    array: NDArray[Any] = np.ndarray(shape, dtype, data, order="F" if match[2] == b"True" else "C")
    array.flags.writeable = False
    return array


def _meta(path: Path, array: NDArray[Any] | None) -> dict[str, Any]:
    if array is None or array.shape != () or array.dtype.kind != "U":
        raise UserError(f"checkpoint {path}: is not a checkpoint: it has no text `meta`")
    if array.dtype.itemsize > 4 * MAX_CHARACTERS:
        raise UserError(f"checkpoint {path}: `meta` has more than {MAX_CHARACTERS:,} characters")
    try:
        # Not by `str(array)`, which fails in its own ways on what is no character.
        text = array.astype(array.dtype.newbyteorder("<")).tobytes().decode("utf-32-le").rstrip("\0")
    except UnicodeDecodeError as error:
        raise UserError(f"checkpoint {path}: `meta` is not JSON: it is no text ({error.reason})") from None
    meta = read_json(text, f"checkpoint {path}: `meta`")
    found = meta.get("format") if isinstance(meta, dict) else None
    if type(found) is not int or found != FORMAT:
        shown = cut(repr(found), MAX_REPORTED_NAME)
        raise UserError(f"checkpoint {path}: `meta` has format {shown}, this version reads format {FORMAT}")
    return dict(meta)


def _said(error: BaseException) -> str:
    """Return an error's text in one line that a terminal can show, whatever of the file it repeats."""
    return cut("".join(c if c.isprintable() else "\ufffd" for c in " ".join(str(error).split())), MAX_SAID)
