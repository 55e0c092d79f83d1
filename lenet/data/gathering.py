"""Which image files are meant by what stands on a command line: files, folders, patterns, standard input."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from lenet.data.image_files import ImageFile
from lenet.errors import UserError

ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff")
"""Of the files of a folder that are taken for images."""
STANDARD_INPUT = "-"
MAX_BYTES = 1 << 28
"""The most that is read from standard input."""

Gathered = tuple[str, ImageFile | UserError]
"""What an image is called, and where it lies or why there is none."""


def gather(words: Sequence[str], standard_input: IO[bytes]) -> Iterator[Gathered]:
    """Yield each image that is meant once, in the order in which they are named; a folder's by their paths.

    A folder stands for the image files in it and below, hidden ones and links to folders left out; `-` for one image on
    standard input; a word with `*`, `?` or `[` that is no file's name for all that the pattern matches (`**`: folders
    at any depth).
    """
    seen: set[str] = set()
    for word in words:
        for name, image in _meant(word, standard_input, seen):
            key = name if name == STANDARD_INPUT else os.path.abspath(name)
            if key not in seen:
                seen.add(key)
                yield name, image


def _meant(word: str, standard_input: IO[bytes], seen: set[str]) -> Iterator[Gathered]:
    if word == STANDARD_INPUT:
        if word not in seen:
            yield word, _read(standard_input)
    elif os.path.isdir(word):
        yield from _of_folder(word)
    elif glob.has_magic(word) and not os.path.lexists(word):
        found = sorted(glob.glob(word, recursive=True))
        if not found:
            yield word, UserError(f"{word}: no file matches this pattern.")
        for name in found:
            yield from _of_folder(name) if os.path.isdir(name) else [(name, Path(name))]
    else:
        yield word, Path(word)


def _of_folder(folder: str) -> Iterator[Gathered]:
    faults: list[OSError] = []
    found = []
    for place, folders, names in os.walk(folder, onerror=faults.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(place, n) for n in names if n.lower().endswith(ENDINGS) and not n.startswith(".")]
    for fault in faults:
        yield str(fault.filename), UserError(f"{fault.filename}: cannot be looked into ({fault.strerror}).")
    if not found and not faults:
        yield folder, UserError(f"{folder}: found no image in this folder; accepted: files {', '.join(ENDINGS)}.")
    for name in sorted(found):
        yield name, Path(name)


def _read(stream: IO[bytes]) -> ImageFile | UserError:
    try:
        data = stream.read(MAX_BYTES + 1)
    except OSError as fault:
        return UserError(f"{STANDARD_INPUT}: standard input cannot be read ({fault.strerror}).")
    if len(data) > MAX_BYTES:
        return UserError(f"{STANDARD_INPUT}: standard input has more than {MAX_BYTES:,} bytes, the most accepted.")
    return data
