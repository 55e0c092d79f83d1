"""What scores of many images come to: by class, and how far the network's confidence can be trusted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lenet.training.engine import Scores

BINS = 15
"""Of equal width, as in Guo et al. 2017."""


@dataclass(frozen=True)
class ClassScore:
    """A class: its images, how many images were taken for it, and how many of them rightly."""

    name: str
    images: int
    taken: int
    right: int

    @property
    def precision(self) -> float:
        """The share of what was taken for it that is of it; not a number where nothing was."""
        return self.right / self.taken if self.taken else math.nan

    @property
    def recall(self) -> float:
        """The share of its images that were recognized; not a number where it has none."""
        return self.right / self.images if self.images else math.nan


@dataclass(frozen=True)
class Bin:
    """The images whose predicted class had a probability over `low` and up to `high`: means over them."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


def by_class(scores: Scores, classes: Sequence[str]) -> list[ClassScore]:
    """Return the score of each class, in their order."""
    counted = np.bincount(scores.labels, minlength=len(classes))
    taken = np.bincount(scores.predictions, minlength=len(classes))
    right = np.bincount(scores.labels[scores.labels == scores.predictions], minlength=len(classes))
    rows = zip(classes, counted.tolist(), taken.tolist(), right.tolist(), strict=True)
    return [ClassScore(*row) for row in rows]


def macro(classes: Sequence[ClassScore], score: Literal["precision", "recall"]) -> float:
    """Return the mean of a score over the classes that images are of, or were taken for; undefined, it counts as 0.

    That is scikit-learn's average="macro" with zero_division=0.
    """
    values = [getattr(each, score) for each in classes if each.images or each.taken]
    return sum(0.0 if math.isnan(value) else value for value in values) / len(values)


def calibration(scores: Scores) -> list[Bin]:
    """Return bins of confidence, those without an image left out."""
    confidences = scores.probabilities.astype(np.float64)
    right = scores.predictions == scores.labels
    numbers = np.clip(np.ceil(confidences * BINS).astype(np.intp) - 1, 0, BINS - 1)
    found = []
    for number in range(BINS):
        among = numbers == number
        if count := int(among.sum()):
            means = float(confidences[among].mean()), float(right[among].mean())
            found.append(Bin(number / BINS, (number + 1) / BINS, count, *means))
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error (Guo et al. 2017, equation 3): mean |accuracy - confidence| of an image."""
    images = sum(each.images for each in bins)
    return sum(each.images * abs(each.accuracy - each.confidence) for each in bins) / images


def number_or_none(value: Any) -> Any:
    """Return what JSON can hold: what is not a number becomes None."""
    return None if isinstance(value, float) and math.isnan(value) else value
