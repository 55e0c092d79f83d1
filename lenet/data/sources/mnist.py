"""MNIST and its two successors, found on this machine or downloaded, and verified."""

import logging
import os
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from lenet.common.validation import PositiveFloat, matching, validated
from lenet.data.cache import user_cache
from lenet.data.dataset import Dataset
from lenet.data.download import download
from lenet.data.files import default_roots, find_parts
from lenet.data.idx import idx_images, idx_labels, read_idx
from lenet.data.missing import Rejected, search_report
from lenet.data.published import FASHION_MNIST, KMNIST, MNIST, PARTS, Part, Published
from lenet.data.scaling import ScalingKind
from lenet.data.sources.base import DataSource, PathKey, Validation
from lenet.errors import UserError

log = logging.getLogger(__name__)

Mirrors = Annotated[
    list[Annotated[str, matching(r"https?://[^\s'\"]+", "addresses that begin with http:// or https://")]],
    Field(min_length=1),
]

ADVICE = (
    "Put the files into a folder and name it: data.root=FOLDER, or LENET_DATA=FOLDER.\n"
    "`data=mnist_5k` needs neither files nor a network."
)


class PublishedSource(DataSource):
    """A published data set in four IDX files, plain or .gz, each recognised by its digest.

    With `root`, they are looked for there and nowhere else; otherwise under `$LENET_DATA`, the system's
    folder and the user's cache, and what is missing is downloaded into the cache from `mirrors` (base
    addresses; null: the known ones). Files of the right name and another content are passed over, since
    MNIST, Fashion-MNIST and KMNIST share their names. `timeout` is in seconds, for each wait for a mirror.
    """

    splits_by_seed = False

    published: ClassVar[Published]

    @validated
    def __init__(
        self,
        root: PathKey | None = None,
        validation: Validation = 0.1,
        scaling: ScalingKind = "standard",
        mirrors: Mirrors | None = None,
        timeout: PositiveFloat = 20.0,
    ) -> None:
        super().__init__(validation, scaling)
        self.root = root
        self.mirrors = list(self.published.mirrors) if mirrors is None else mirrors
        self.timeout = timeout

    def load(self, seed: int) -> Dataset:
        """Find or download the four files; `seed` plays no part, since they come with a test set."""
        return self._load(downloads=self.root is None)

    def load_at_hand(self, seed: int) -> Dataset:
        """Find the four files, and download none."""
        return self._load(downloads=False)

    def _load(self, downloads: bool) -> Dataset:
        if self.root is not None and not os.path.isdir(self.root):
            raise UserError(f"data.root={self.root}: no such folder; accepted: a folder with MNIST's four files.")
        roots = [("data.root", self.root)] if self.root is not None else default_roots(self.published.name)
        contents, rejected = self._find([root for _, root in roots])
        missing = [part for part in PARTS if part not in contents]
        if missing:
            report = search_report(self.published.name, missing, roots, rejected, whole=self.root is not None)
            if not downloads:
                raise UserError(report)
            contents |= self._download(missing, report)
        read = {part.role: content for part, (_, content) in contents.items()}
        folders = sorted({str(path.parent) for path, _ in contents.values()})
        return Dataset(
            self.published.name,
            idx_images(read["train_images"]),
            idx_labels(read["train_labels"]),
            idx_images(read["test_images"]),
            idx_labels(read["test_labels"]),
            self.published.classes,
            source=", ".join(folders),
        )

    def _find(self, roots: list[Path]) -> tuple[dict[Part, tuple[Path, bytearray]], list[Rejected]]:
        """Return the first file that verifies for each part, with its content, and why others did not."""
        contents: dict[Part, tuple[Path, bytearray]] = {}
        rejected: list[Rejected] = []
        for part, paths in find_parts(roots).items():
            # Folders that held a part already come first, before large files of another data set are read.
            known = {path.parent for path, _ in contents.values()}
            for path in sorted(paths, key=lambda path: path.parent not in known):
                try:
                    contents[part] = path, self._read(part, path)
                    break
                except UserError as fault:
                    rejected.append((path, fault))
        return contents, rejected

    def _read(self, part: Part, path: Path) -> bytearray:
        content = read_idx(path, part.kind)
        self.published.verify(part, path, content)
        return content

    def _download(self, parts: list[Part], report: str) -> dict[Part, tuple[Path, bytearray]]:
        """Download `parts` into the cache; `report` says where they were looked for, should this fail too."""
        contents = {}
        for part in parts:
            target = user_cache() / self.published.name / f"{part.file_name}.gz"
            log.info("Downloading %s to %s", target.name, target.parent)
            try:
                download(target.name, self.mirrors, target, partial(self._read, part), self.timeout)
            except UserError as fault:
                raise UserError(f"{report}\n{fault}\n{ADVICE}") from fault
            contents[part] = target, self._read(part, target)
        return contents


class Mnist(PublishedSource):
    """MNIST (LeCun, Cortes, Burges): 60,000 and 10,000 handwritten digits of 28 x 28."""

    published = MNIST


class FashionMnist(PublishedSource):
    """Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): articles of clothing in MNIST's format."""

    published = FASHION_MNIST


class Kmnist(PublishedSource):
    """Kuzushiji-MNIST (Clanuwat et al. 2018): cursive hiragana in MNIST's format.

    Only the .gz files as published can be verified, so only they are accepted.
    """

    published = KMNIST
