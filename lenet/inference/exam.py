"""What a network is scored on: a test set, or of data that have none all images that its run has not seen."""

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

import numpy as np

from lenet.configuration.build import Plan
from lenet.data import Dataset, DataSource, ImageFolder, Pool, SplittingSource, load, read
from lenet.data.dataset import Images, Labels
from lenet.data.drawings import Way, way_for
from lenet.data.framing import are_inverted, framing_of
from lenet.errors import UserError
from lenet.inference.prediction import preparing
from lenet.inference.trained import Trained

Differences = Literal["inverted", "not like MNIST"]
"""How images plainly differ from those that a network was trained on."""


@dataclass(frozen=True, eq=False)
class Exam:
    """Images (N, C, H, W), and labels (N,) that index `classes`.

    is_own: of the run's own data, as it names them. is_same: of the data that the network was trained on, by their
    digest. is_test_set: the data's own test set; else all of them. left_out: how many images of it are left out since
    the run was trained on them or chose its best epoch by them; None: that could not be told. chosen_by: the run chose
    its best epoch by random ones of them. prepared: how image files were brought to the network; None: they were not.
    """

    name: str
    images: Images
    labels: Labels
    classes: tuple[str, ...]
    digest: str
    is_own: bool
    is_same: bool
    is_test_set: bool
    are_files: bool = False
    left_out: int | None = 0
    chosen_by: bool = False
    prepared: Way | None = None

    def difference(self, trained: Trained) -> Differences | None:
        """Say how the images plainly differ from those that the network was trained on; of files also in framing."""
        if self.is_same or self.prepared:
            return None
        if are_inverted(self.images, trained.framing):
            return "inverted"
        unlike = self.are_files and trained.framing.like_mnist and not framing_of(self.images).like_mnist
        return "not like MNIST" if unlike else None


def own_exam(dataset: Dataset) -> Exam:
    """Return the test set of a run's own data."""
    return _test_set(dataset, is_same=True, is_own=True)


def other_exam(source: DataSource, trained: Trained, seed: int, is_prepared: bool) -> Exam:
    """Return what a source gives to be scored, before what the network was trained on is left out.

    The same data as the network was trained on are known by their digest, once they are split as with the run's
    `seed`: of them it is the test set. `is_prepared` has image files brought to the network as `predict` does. Raises
    `UserError` where the data cannot be had.
    """
    way = way_for(trained.framing) if is_prepared else None
    found = _read(source, trained, seed, way)
    split = _split(found, source, seed)
    if split and split.digest == trained.description.data_digest:
        exam = _test_set(split, is_same=True)
    elif isinstance(found, Dataset):
        exam = _test_set(found)
    else:
        exam = Exam(found.name, found.images, found.labels, found.classes, found.digest, False, False, False)
    return replace(exam, prepared=way, are_files=isinstance(source, ImageFolder))


def without_seen_images(exam: Exam, plan: Plan, digest: str) -> Exam:
    """Return the exam without images of which each pixel is as in one that a run with this plan was trained on.

    Nor with any that it chose its best epoch by: images held out of the training set, or all of the test set if it was
    by random ones of that; the run's own test set is scored all the same. Where the run's own data, which have the
    `digest`, are not at hand, nobody can tell: all are kept, and nothing is downloaded for that. Raises `UserError`
    where none would be left.
    """
    chose_by_test_set = plan.data.validation == "report"
    if exam.is_same:
        return replace(exam, chosen_by=chose_by_test_set)
    try:
        own = load(plan.data, plan.seed, at_hand=True)
    except UserError:
        return replace(exam, left_out=None)
    if own.digest != digest:
        return replace(exam, left_out=None)
    if own.train_images.shape[1:] != exam.images.shape[1:]:
        return exam
    seen = set(map(_fingerprint, own.train_images))
    if chose_by_test_set:
        seen.update(map(_fingerprint, own.test_images))
    kept = np.array([_fingerprint(image) not in seen for image in exam.images])
    if kept.all():
        return exam
    if not kept.any():
        raise UserError(
            f"data: the run was trained on each of the {len(kept):,} images of `{exam.name}`, or chose its best epoch "
            "by them, so that its score on them says little. Accepted: data with images that it has not seen."
        )
    return replace(exam, images=exam.images[kept], labels=exam.labels[kept], left_out=int(np.sum(~kept)))


def _read(source: DataSource, trained: Trained, seed: int, way: Way | None) -> Dataset | Pool:
    if way is None:
        return read(source, seed)
    if not isinstance(source, ImageFolder):
        found = type(source).__name__
        raise UserError(f"--prepare is for image files, not for {found}. Accepted with it: data=image_folder.")
    prepared = preparing(trained, way)
    return source.read(lambda path: prepared(path, str(path)))


def _split(found: Dataset | Pool, source: DataSource, seed: int) -> Dataset | None:
    """Return data as a run with this seed would see them; None where no run could be trained on them."""
    if isinstance(found, Dataset):
        return found
    assert isinstance(source, SplittingSource)
    try:
        return found.split(source.test, seed)
    except UserError:
        return None


def _test_set(data: Dataset, is_same: bool = False, is_own: bool = False) -> Exam:
    return Exam(data.name, data.test_images, data.test_labels, data.classes, data.digest, is_own, is_same, True)


def _fingerprint(image: Images) -> bytes:
    return blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
