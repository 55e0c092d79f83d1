"""What the archives that NumPy writes look like, and what of their claims a reader need not believe."""

import warnings
import zipfile
from typing import IO

MAGIC = b"PK\3\4"
"""With what an .npz begins."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How NumPy packs. What other methods unpack to is not known beforehand, and zipfile holds all of a chunk in memory."""
MAX_DIRECTORY = 4 << 20
"""Bytes of a directory, which `zipfile` reads into memory whole."""
CHUNK = 1 << 20
"""Bytes to unpack at once: in one go, `zipfile` would unpack all that there is first, and hold it twice."""
MAX_DEFLATE_RATIO = 1032
"""No deflate stream grows by more."""


def overclaims(entry: zipfile.ZipInfo, held: int) -> bool:
    """Say whether an entry claims more than a file of `held` bytes can hold, packed or unpacked.

    `zipfile` asks for as much memory as the packed size says.
    """
    return entry.compress_size > held or entry.file_size > entry.compress_size * MAX_DEFLATE_RATIO


def opened(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    """Open an entry; raise `BadZipFile` also for one that lies over another, of which Python 3.13 only warns."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return archive.open(entry)
    except UserWarning as warning:
        raise zipfile.BadZipFile(str(warning)) from None
