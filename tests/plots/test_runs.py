"""A run's figures show what they are given: looked up in the figure's own artists."""

import math

import numpy as np
import pytest

from lenet import plots
from tests.plots.helpers import (
    DIGITS,
    EXAMPLES,
    HISTORY,
    lines,
    words,
)


def test_curves_show_loss_and_accuracy_of_both_splits_on_twin_axes() -> None:
    figure = plots.curves(HISTORY, "a run")
    assert lines(figure, 0) == {
        f"{split} loss": [record[f"{split}/loss"] for record in HISTORY] for split in ("train", "val")
    }
    assert lines(figure, 1) == {
        f"{split} accuracy": [record[f"{split}/accuracy"] for record in HISTORY] for split in ("train", "val")
    }
    assert {"a run", "epoch", "loss", "accuracy", "train loss", "val accuracy"} <= set(words(figure))


def test_curves_count_epochs_from_one() -> None:
    (first, *_) = plots.curves(HISTORY, "").axes[0].lines
    assert list(first.get_xdata()) == [1, 2, 3, 4, 5, 6, 7]  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_curves_leave_a_gap_where_a_value_is_not_finite(bad: float) -> None:
    history = [*HISTORY, {**HISTORY[0], "train/loss": bad}]
    assert np.isnan(lines(plots.curves(history, ""))["train loss"]).tolist() == [False] * 7 + [True]


def test_curves_leave_out_what_was_never_recorded() -> None:
    history = [{"train/loss": 1.0, "train/accuracy": 0.5}] * 2
    assert list(lines(plots.curves(history, ""))) == ["train loss"]


def test_curves_mark_a_single_epoch() -> None:
    line = plots.curves(HISTORY[:1], "").axes[0].lines[0]
    assert line.get_marker() == "o"


def test_confusion_matrix_writes_the_counts_other_than_zero() -> None:
    figure = plots.confusion_matrix(np.array([[7, 2], [0, 11]]), ["cat", "dog"])
    cells = {tuple(map(int, text.get_position())): text.get_text() for text in figure.axes[0].texts}
    assert cells == {(0, 0): "7", (1, 0): "2", (1, 1): "11"}
    assert {"cat", "dog", "true", "predicted", "18 of 20 right"} <= set(words(figure))


def test_confusion_matrix_names_other_data_and_their_classes_in_its_rows() -> None:
    axes = plots.confusion_matrix(np.array([[7, 2], [0, 11]]), ["0", "1"], ["cat", "dog"], "pets").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.get_title("left") == "18 of 20 right\non pets"


def test_confusion_matrix_is_coloured_by_the_share_of_each_true_class() -> None:
    figure = plots.confusion_matrix(np.array([[6, 2], [0, 0]]), ["cat", "dog"])
    assert figure.axes[0].images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]  # type: ignore[union-attr]


def test_confusion_matrix_of_many_classes_writes_no_counts() -> None:
    assert EXAMPLES["20 classes"]().axes[0].texts
    assert not EXAMPLES["200 classes"]().axes[0].texts


def test_filters_are_coloured_symmetrically_around_zero() -> None:
    weights = np.zeros((2, 1, 3, 3))
    weights[0, 0, 1, 1] = -0.5
    images = plots.filters(weights).axes[0].images
    assert [image.get_clim() for image in images] == [(-0.5, 0.5)] * 2


def test_filters_show_every_output_with_its_channels_in_order() -> None:
    weights = np.arange(2 * 3 * 2 * 2, dtype=float).reshape(2, 3, 2, 2)
    images = plots.filters(weights).axes[0].images
    for image, kernel in zip(images, weights, strict=True):
        tile = np.asarray(image.get_array())
        assert tile[~np.isnan(tile).all(axis=1)].tolist() == kernel.reshape(6, 2).tolist()


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_filters_without_a_scale_of_their_own_are_drawn(value: float) -> None:
    assert plots.filters(np.full((2, 1, 3, 3), value)).axes[0].images[0].get_clim() == (-1, 1)


def test_filters_say_how_many_they_leave_out() -> None:
    figure = plots.filters(np.ones((100, 1, 3, 3)))
    assert len(figure.axes[0].images) == 64
    assert "Kernels of the first layer (64 of 100)" in words(figure)


def test_mistakes_come_most_confident_first_without_what_was_right() -> None:
    figure = plots.mistakes(
        np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1),
        np.array([3, 3, 4, 9]),
        np.array([5, 3, 1, 7]),
        np.array([0.61, 0.99, 0.987, 0.7]),
        DIGITS,
    )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["4 → 1 (0.99)", "9 → 7 (0.70)", "3 → 5 (0.61)"]
    assert [image.get_array().item() for image in axes.images] == [2, 3, 0]  # type: ignore[union-attr]


def test_mistakes_beyond_25_are_counted_in_the_title() -> None:
    figure = EXAMPLES["25 mistakes"]()
    assert len(figure.axes[0].images) == 25
    assert figure.axes[0].get_title("left").startswith("25 of 40 mistakes")


def test_no_mistakes_are_said_to_be_none() -> None:
    assert words(EXAMPLES["no mistakes"]()) == ["No mistakes"]


def test_distortions_lie_below_the_image_that_they_are_of() -> None:
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1)
    distorted = np.array([[10.6, -2.0, 300.0], [20.0, 30.0, 40.0]]).reshape(2, 3, 1, 1, 1)
    tiles = plots.distortions(images, distorted).axes[0].images
    assert [tile.get_array().item() for tile in tiles] == [0, 1, 2, 10, 0, 255, 20, 30, 40]  # type: ignore[union-attr]
    places = [(tile.get_extent()[0], tile.get_extent()[3]) for tile in tiles]
    columns, rows = ([place[axis] for place in places] for axis in (0, 1))
    assert columns[:3] * 3 == columns
    assert sorted(set(columns)) == columns[:3]
    assert rows == [row for row in sorted(set(rows)) for _ in range(3)]
