"""A sweep's figures show what they are given: looked up in the figure's own artists."""

import math
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from lenet import plots
from tests.plots.helpers import (
    LEARNING_RATES,
    PAIRS,
    RATES,
    SMOOTHED,
    lines,
    words,
)


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
