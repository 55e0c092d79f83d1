"""What is counted of scores, by hand, and how classes of two data sets are matched."""

import numpy as np
import pytest

from lenet.errors import UserError
from lenet.inference.matching import match
from lenet.inference.scoring import by_class, calibration, calibration_error, macro
from lenet.training.engine import Scores


def scores(labels, predictions, probabilities):
    return Scores(np.zeros(len(labels)), np.array(labels), np.array(predictions), np.array(probabilities))


def test_scores_by_class_and_calibration_are_as_counted_by_hand():
    found = scores([0, 0, 1, 1], [0, 1, 1, 1], [0.9, 0.6, 0.7, 1.0])
    first, second, third = by_class(found, ["a", "b", "c"])
    assert (first.images, first.taken, first.precision, first.recall) == (2, 1, 1.0, 0.5)
    assert (second.images, second.taken, second.precision, second.recall) == (2, 3, 2 / 3, 1.0)
    assert np.isnan(third.precision)
    assert np.isnan(third.recall)
    bins = calibration(found)
    assert [(each.images, each.accuracy) for each in bins] == [(1, 0.0), (1, 1.0), (1, 1.0), (1, 1.0)]
    assert calibration_error(bins) == pytest.approx((0.6 + 0.3 + 0.1 + 0) / 4)
    exact = calibration(scores([0], [0], [np.float32(1 / 15)]))
    assert len(exact) == 1


def test_means_of_classes_are_scikit_learns_macro_averages_with_undefined_ones_as_0():
    labels, predictions = [0, 0, 0, 1, 1, 2, 2, 2], [0, 0, 3, 0, 0, 2, 2, 0]  # 1: never taken; 3: no image; 4: neither
    found = by_class(scores(labels, predictions, [0.5] * 8), "abcde")
    sklearn = pytest.importorskip("sklearn.metrics")
    for score in ("precision", "recall"):
        expected = getattr(sklearn, f"{score}_score")(labels, predictions, average="macro", zero_division=0)
        assert macro(found, score) == pytest.approx(expected, abs=1e-12)
    assert macro(found, "precision") == pytest.approx((2 / 5 + 0 + 1 + 0) / 4)


def test_classes_are_matched_by_name_first():
    assert match("abc", "abc")[1] == "the same classes"
    indices, how = match("abc", "ca")
    assert (indices.tolist(), how) == ([2, 0], "by name")
    indices, how = match("abc", "abx")
    assert (indices.tolist(), how) == ([0, 1, 2], "by position")
    for names in ("xy", "wxyz", "bxa", "xaz"):
        with pytest.raises(UserError, match="tells 3 classes apart"):
            match("abc", names)
