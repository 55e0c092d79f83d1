"""Writing a checkpoint."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenet.checkpoint.form import FORMAT, KINDS, MAX_ARRAYS, MAX_BYTES, MAX_HEADER, MAX_NAME, is_name
from lenet.common.files import write_atomically
from lenet.common.stored_json import MAX_CHARACTERS


def dumps(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> bytes:
    """Return a checkpoint's bytes, which are a function of `arrays` and `meta` in their order, and of nothing
    else.

    Raises ValueError for what could not be loaded again (objects, complex numbers, over 1 GiB in all) and
    TypeError for what JSON cannot hold.
    """
    text = json.dumps({"format": FORMAT, **meta}, default=_plain)
    everything = {"meta": np.array(text), **arrays}
    for name, array in everything.items():
        if array.dtype.kind not in KINDS:
            raise ValueError(f"arrays: `{name}` has dtype {array.dtype}, which a checkpoint does not hold")
        if not is_name(name):
            raise ValueError(f"arrays: {name!r} is no name: empty, not printable, or over {MAX_NAME} characters")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"meta: {len(text):,} characters are more than a checkpoint holds ({MAX_CHARACTERS:,})")
    if "meta" in arrays:
        raise ValueError("arrays: the name `meta` is taken")
    if len(everything) > MAX_ARRAYS or sum(array.nbytes + MAX_HEADER for array in everything.values()) > MAX_BYTES:
        raise ValueError(f"arrays: more than a checkpoint holds ({MAX_ARRAYS:,} arrays, {MAX_BYTES:,} bytes)")
    file = io.BytesIO()
    # Stored: compressing trained weights takes 15 times as long as writing them and saves an eighth.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in everything.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:  # dated 1980, not now
                np.lib.format.write_array(entry, array, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def save(path: Path, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> None:
    """Write a checkpoint so that a reader sees the old file or the new one, whole; raises as `dumps` does."""
    write_atomically(path, dumps(arrays, meta))


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"meta: {type(value).__name__} cannot be written as JSON")
