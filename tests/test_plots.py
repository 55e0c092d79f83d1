"""Each figure shows what it is given: looked up in the figure's own artists, and rendered."""

import math
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from lenet import plots

DIGITS = tuple("0123456789")
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
HISTORY = [
    {
        "train/loss": 1 / epoch,
        "val/loss": 1.5 / epoch,
        "train/accuracy": 1 - 0.2 / epoch,
        "val/accuracy": 1 - 0.3 / epoch,
        "lr": 0.01,
    }
    for epoch in range(1, 8)
]


def shown(figure: Figure) -> list[Text]:
    """All texts that a reader of the figure sees."""
    figure.draw_without_rendering()
    hidden = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not axes.axison or not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    texts = [artist for artist in figure.findobj() if isinstance(artist, Text) and artist not in hidden]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in shown(figure)]


def lines(figure: Figure, axes: int = 0) -> dict[str, list[float]]:
    return {str(line.get_label()): list(line.get_ydata()) for line in figure.axes[axes].lines}  # type: ignore[arg-type]


def confusion(classes: int) -> np.ndarray[Any, Any]:
    """95 of each class right and 3 taken for the next."""
    return np.asarray(95 * np.eye(classes, dtype=int) + 3 * np.eye(classes, k=1, dtype=int))


def wrong_images(count: int, channels: int = 1) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    true = generator.integers(10, size=count)
    return {
        "images": generator.integers(256, size=(count, channels, 28, 28), dtype=np.uint8),
        "true": true,
        "predicted": (true + 1) % 10,
        "probability": generator.uniform(0.3, 1, count),
    }


LEARNING_RATES = [
    {"lr": rate, "val/accuracy": 0.9 + seed / 100} for rate in (0.001, 0.003, 0.01, 0.03) for seed in range(3)
]
PAIRS = [
    {"optimizer.lr": rate, "trainer.batch_size": size, "val/accuracy": 0.9 + seed / 100 + float(rate)}
    for rate in ("0.01", "0.02", "0.005")
    for size in (64, 256)
    for seed in range(2)
    if (rate, size) != ("0.02", 256)
]
RATES = np.geomspace(1e-5, 10, 50)
SMOOTHED = 3 - 2 * np.exp(-((np.log10(RATES) + 2) ** 2))
EXAMPLES: dict[str, Callable[[], Figure]] = {
    "curves": lambda: plots.curves(HISTORY, "lr=0.01, seed=0"),
    "one epoch": lambda: plots.curves(HISTORY[:1], "short"),
    "no epoch": lambda: plots.curves([], "interrupted"),
    "digits confused": lambda: plots.confusion_matrix(confusion(10), DIGITS),
    "garments confused": lambda: plots.confusion_matrix(confusion(10) * 10, GARMENTS),
    "20 classes": lambda: plots.confusion_matrix(confusion(20), [f"class {k}" for k in range(20)]),
    "200 classes": lambda: plots.confusion_matrix(confusion(200), [f"class {k}" for k in range(200)]),
    "no test set": lambda: plots.confusion_matrix(np.zeros((2, 2), int), ["cat", "dog"]),
    "6 kernels": lambda: plots.filters(np.random.default_rng(0).normal(size=(6, 1, 5, 5))),
    "colour kernels": lambda: plots.filters(np.random.default_rng(0).normal(size=(64, 3, 3, 3))),
    "25 mistakes": lambda: plots.mistakes(**wrong_images(40), classes=DIGITS),
    "garments mistaken": lambda: plots.mistakes(**wrong_images(40), classes=GARMENTS),
    "colour mistakes": lambda: plots.mistakes(**wrong_images(3, channels=3), classes=DIGITS),
    "no mistakes": lambda: plots.mistakes(**wrong_images(0), classes=DIGITS),
    "sweep": lambda: plots.sweep(LEARNING_RATES, "lr", "val/accuracy"),
    "sweep with losses": lambda: plots.sweep(
        [*LEARNING_RATES, {"lr": 1, "diverged": True}, {"lr": 0.01}], "lr", "val/accuracy"
    ),
    "sweep of names": lambda: plots.sweep(
        [{"optimizer": name, "test/loss": 0.1} for name in ("sgd", "momentum")], "optimizer", "test/loss"
    ),
    "two curves": lambda: plots.training_curves(
        {"lr=0.01": [0.5, 0.8, 0.9], "lr=0.1": [0.6, math.nan]}, "val/accuracy"
    ),
    "too many curves": lambda: plots.training_curves(
        {f"lr=0.{number:04},momentum=0.9,seed=1": [1 / number, 0.5 / number] for number in range(1, 31)}, "val/loss", 10
    ),
    "no curves": lambda: plots.training_curves({}, "val/loss"),
    "heat map": lambda: plots.heat_map(PAIRS, "optimizer.lr", "trainer.batch_size", "val/accuracy"),
    "heat map of many": lambda: plots.heat_map(
        [{"a": a / 1000, "b": f"name {b}", "test/loss": a * b} for a in range(40) for b in range(30)],
        "a",
        "b",
        "test/loss",
    ),
    "cold map": lambda: plots.heat_map([{"a": 1, "b": "x", "diverged": "true"}], "a", "b", "test/loss"),
    "range test": lambda: plots.lr_range(
        RATES, [*SMOOTHED[:-1], math.nan], SMOOTHED, (0.00025, 0.12, 0.015), "lucid-fox-1"
    ),
    "range test without an answer": lambda: plots.lr_range(RATES, SMOOTHED, SMOOTHED, None, "lucid-fox-1"),
    "range test of a step": lambda: plots.lr_range(RATES[:1], [math.nan], np.ones(1), None, "lucid-fox-1"),
    "nothing but divergence": lambda: plots.sweep([{"lr": 1, "diverged": True}], "lr", "val/accuracy"),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_texts_are_legible_apart_and_on_the_page(example: str) -> None:
    figure = EXAMPLES[example]()
    texts = shown(figure)
    assert min(float(text.get_fontsize()) for text in texts) >= 9
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    # The heights of text boxes include room for letters that are not there.
    apart = [(name, box.shrunk(0.9, 0.9)) for name, box in boxes]
    assert [(a, b) for (a, one), (b, other) in combinations(apart, 2) if one.overlaps(other)] == []
    page = figure.bbox
    assert [name for name, box in boxes if min(*box.p0, *(page.p1 - box.p1)) < 0] == []


def test_a_figure_is_rendered_as_png_at_the_resolution_asked_for() -> None:
    image = plots.to_png(plots.curves(HISTORY, "a run"), dpi=50)
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(image[16:20]) == 7 * 50


def test_pyplot_and_its_global_state_are_never_imported() -> None:
    code = "import lenet.plots, sys; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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


def dots(figure: Figure, marker: str = "o") -> list[list[float]]:
    found = [line.get_xydata() for line in figure.axes[0].lines if line.get_marker() == marker]
    points: list[list[float]] = np.concatenate(found).tolist()
    return [point for point in points if not math.isnan(point[1])]


def test_a_sweep_shows_every_run_as_a_dot() -> None:
    figure = plots.sweep(LEARNING_RATES, "lr", "val/accuracy")
    assert dots(figure) == [[row["lr"], row["val/accuracy"]] for row in LEARNING_RATES]


def test_a_sweep_draws_a_line_through_the_means_of_each_value() -> None:
    line = plots.sweep(LEARNING_RATES, "lr", "val/accuracy").axes[0].lines[0]
    means = np.asarray(line.get_xydata())
    assert means == pytest.approx(np.array([[0.001, 0.91], [0.003, 0.91], [0.01, 0.91], [0.03, 0.91]]))


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.001, 0.01], "log"),
        (["1e-3", "0.01"], "log"),
        ([0.005, 0.01], "linear"),
        ([0, 0.01], "linear"),
        ([-1, 10], "linear"),
        (["relu", "tanh"], "linear"),
        ([1, "auto"], "linear"),
    ],
)
def test_a_sweep_is_logarithmic_over_positive_numbers_far_apart(values: list[Any], scale: str) -> None:
    rows = [{"key": value, "val/loss": 1.0} for value in values]
    assert plots.sweep(rows, "key", "val/loss").axes[0].get_xscale() == scale


def test_a_sweep_of_close_numbers_gives_each_a_place_in_their_order() -> None:
    rows = [{"batch": value, "val/loss": 1.0} for value in ("128", "64", "256")]
    axes = plots.sweep(rows, "batch", "val/loss").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["64", "128", "256"]


@pytest.mark.parametrize("flag", [True, "true"])
def test_a_diverged_run_is_a_cross_and_not_a_dot(flag: object) -> None:
    rows: list[dict[str, Any]] = [
        {"lr": 0.1, "val/accuracy": 0.9},
        {"lr": 10, "val/accuracy": 0.1, "diverged": flag},
    ]
    figure = plots.sweep(rows, "lr", "val/accuracy")
    assert dots(figure) == [[0.1, 0.9]]
    assert [x for x, _ in dots(figure, "x")] == [10]
    assert "diverged" in words(figure)


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_run_without_a_value_is_shown_as_such(value: float | None) -> None:
    rows: list[dict[str, Any]] = [
        {"lr": 0.1, "val/accuracy": 0.9},
        {"lr": 10, "val/accuracy": value, "diverged": "false"},
    ]
    assert "no value" in words(plots.sweep(rows, "lr", "val/accuracy"))


def test_training_curves_are_one_line_for_each_run_with_a_gap_where_it_was_not_finite() -> None:
    figure = plots.training_curves({"lr=0.01": [1.0, 0.5], "lr=9": [2.0, math.inf]}, "val/loss")
    assert lines(figure)["lr=0.01"] == [1.0, 0.5]
    assert math.isnan(lines(figure)["lr=9"][1])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["lr=0.01", "lr=9"]


def test_training_curves_say_how_many_runs_they_leave_out() -> None:
    figure = plots.training_curves({str(number): [1.0] for number in range(30)}, "val/loss", left_out=1)
    assert figure.axes[0].get_title(loc="left") == "val/loss by epoch (30 of 31 runs)"
    assert len(figure.axes[0].lines) == 30


def test_a_heat_map_holds_the_mean_of_each_pair_in_the_order_of_the_numbers() -> None:
    axes = plots.heat_map(PAIRS, "optimizer.lr", "trainer.batch_size", "val/accuracy").axes[0]
    means = axes.images[0].get_array()
    assert means is not None
    assert means.tolist() == [
        [pytest.approx(0.91), pytest.approx(0.915), pytest.approx(0.925)],
        [pytest.approx(0.91), pytest.approx(0.915), None],
    ]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.005", "0.01", "0.02"]
    assert sorted(text.get_text() for text in axes.texts) == ["91.0%", "91.0%", "91.5%", "91.5%", "92.5%"]


def test_a_heat_map_leaves_out_what_diverged() -> None:
    rows = [{"a": 1, "b": 1, "m": 0.5}, {"a": 1, "b": 1, "m": 7.0, "diverged": "true"}, {"a": 2, "b": 1, "m": math.nan}]
    means = plots.heat_map(rows, "a", "b", "m").axes[0].images[0].get_array()
    assert means is not None
    assert means.tolist() == [[0.5, None]]


def test_a_range_test_shows_every_step_and_marks_those_beyond_the_edge() -> None:
    losses = [*SMOOTHED[:-2], 1e9, math.nan]
    figure = plots.lr_range(RATES, losses, SMOOTHED, (0.001, 0.1, 0.02), "lucid-fox-1")
    drawn = lines(figure)
    assert drawn["each step"][:-2] == losses[:-2]
    assert np.isnan(drawn["each step"][-2:]).all()
    assert drawn["above"] == [figure.axes[0].get_ylim()[1]] * 2
    assert drawn["smoothed"] == list(SMOOTHED)
    assert figure.axes[0].get_xscale() == "log"
    assert {"proposed range", "start with 0.02"} <= set(words(figure))
