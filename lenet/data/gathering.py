"""Which image files are meant by words: files, folders, patterns, pipes, and on a command line standard input."""

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
"""The most that is read from standard input, or from a pipe."""

Gathered = tuple[str, ImageFile | UserError]
"""What an image is called, and where it lies or why there is none."""


def gather(words: Sequence[str], standard_input: IO[bytes]) -> Iterator[Gathered]:
    """Yield the images that words on a command line mean: `-` is the one on standard input, others as `meant` does."""
    seen: set[str] = set()
    for word in words:
        if word != STANDARD_INPUT:
            yield from meant(word, seen, reads_pipes=True)
        elif word not in seen:  # it can be read once
            seen.add(word)
            yield word, _read(standard_input, "-: standard input")


def meant(word: str, seen: set[str], reads_pipes: bool = False) -> Iterator[Gathered]:
    """Yield the images that a word means.

    A folder stands for the image files in it and below, hidden ones and links to folders left out; a word with `*`, `?`
    or `[` that is no file's name for all that the pattern matches (`**`: folders at any depth, links left out); both in
    the order of their paths, and without those that `seen` holds. Anything else is one image's file, or a pipe that
    holds one, for which it may have to be waited.
    What is yielded is added to `seen`, by its name in the folder that is really meant.
    """
    if os.path.isdir(word):
        found = _of_folder(word)
    elif glob.has_magic(word) and not os.path.lexists(word):
        found = _of_pattern(word)
    else:  # who names a file twice is told of it twice
        seen.add(_place(word))
        yield word, _of_pipe(word) if reads_pipes and Path(word).is_fifo() else Path(word)
        return
    for name, image in found:
        key = _place(name)
        if key not in seen:
            seen.add(key)
            yield name, image


def _place(name: str) -> str:
    """Return a file's path without links to folders; of a link to a file it is the link's own."""
    folder, file = os.path.split(os.path.abspath(name))
    return os.path.join(os.path.realpath(folder), file)


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


def _of_pattern(pattern: str) -> Iterator[Gathered]:
    found = sorted(set(_matches(pattern)))
    if not found:
        yield pattern, UserError(f"{pattern}: no file matches this pattern.")
    for name in found:
        yield from _of_folder(name) if os.path.isdir(name) else [(name, Path(name))]


def _matches(pattern: str) -> Iterator[str]:
    """Yield what a pattern matches as `glob` does, but for links to folders at `**`, which may lead round for ever."""
    parts = pattern.split("/")
    if "**" not in parts:
        yield from glob.iglob(pattern)
        return
    depth = parts.index("**")
    if depth == 0:
        yield from (name.removeprefix("./") for name in _matches(f"./{pattern}"))
        return
    rest = "/".join(parts[depth + 1 :]) or "*"
    for top in glob.iglob("/".join([*parts[:depth], ""])):
        for place, folders, _ in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from _matches(os.path.join(glob.escape(place), rest))


def _of_pipe(name: str) -> ImageFile | UserError:
    """Read a pipe that has a name, such as a shell makes of `<(command)`."""
    try:
        with open(name, "rb") as stream:
            return _read(stream, f"{name}: the pipe")
    except OSError as fault:
        return UserError(f"{name}: cannot be read ({fault.strerror}).")


def _read(stream: IO[bytes], called: str) -> ImageFile | UserError:
    try:
        data = stream.read(MAX_BYTES + 1)
    except OSError as fault:
        return UserError(f"{called} cannot be read ({fault.strerror}).")
    if len(data) > MAX_BYTES:
        return UserError(f"{called} has more than {MAX_BYTES:,} bytes, the most accepted.")
    return data
