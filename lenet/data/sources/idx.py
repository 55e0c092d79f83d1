"""Any images in four IDX files of MNIST's names."""

import os

from lenet.common.validation import validated
from lenet.data.dataset import Dataset, index_classes
from lenet.data.files import one_folder
from lenet.data.idx import check_counts, idx_images, idx_labels, read_idx
from lenet.data.scaling import ScalingKind
from lenet.data.sources.base import DataSource, PathKey, Validation
from lenet.errors import UserError


class Idx(DataSource):
    """A folder with files of MNIST's four names, plain or .gz, of any image size and number of classes.

    Nothing is known of their content, so nothing is verified but that they fit together. The classes are the
    labels that occur, in numeric order.
    """

    splits_by_seed = False

    @validated
    def __init__(self, root: PathKey, validation: Validation = 0.1, scaling: ScalingKind = "standard") -> None:
        super().__init__(validation, scaling)
        self.root = root

    def load(self, seed: int) -> Dataset:
        """Read the four files; `seed` plays no part, since they come with a test set."""
        if not os.path.isdir(self.root):
            raise UserError(f"data.root={self.root}: no such folder; accepted: a folder with MNIST's four files.")
        paths = {part.role: (path, part.kind) for part, path in one_folder(self.root).items()}
        contents = {role: read_idx(path, kind) for role, (path, kind) in paths.items()}
        images = {part: idx_images(contents[f"{part}_images"]) for part in ("train", "test")}
        labels = {part: idx_labels(contents[f"{part}_labels"]) for part in ("train", "test")}
        for part in ("train", "test"):
            check_counts(images[part], labels[part], paths[f"{part}_images"][0], paths[f"{part}_labels"][0])
        classes, (train_labels, test_labels) = index_classes(labels["train"], labels["test"])
        return Dataset(
            self.root.resolve().name,
            images["train"],
            train_labels,
            images["test"],
            test_labels,
            classes,
            source=str(self.root),
        )
