"""A published data set of ten toy images."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

from lenet.data.published import PARTS, Published
from lenet.data.sources.mnist import PublishedSource

WriteSet = Callable[..., Path]


Serve = Callable[..., str]


def published_from(folder: Path, *, raw: bool) -> type[PublishedSource]:
    packed = [Path(folder, f"{part.file_name}.gz").read_bytes() for part in PARTS]

    class Toy(PublishedSource):
        published = Published(
            name="toy",
            classes=("nought", "one"),
            mirrors=("http://127.0.0.1:9/",),
            md5=tuple(hashlib.md5(content).hexdigest() for content in packed),
            sha256=tuple(hashlib.sha256(gzip.decompress(content)).hexdigest() for content in packed) if raw else None,
        )

    return Toy


def unpack(folder: Path, target: Path) -> Path:
    target.mkdir(parents=True)
    for file in folder.glob("*.gz"):
        (target / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    return target


def cached_files(bare_machine: Path) -> set[str]:
    return {file.name for file in (bare_machine / "cache").rglob("*") if file.is_file()}
