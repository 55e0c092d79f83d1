"""What figures are drawn from in the tests, and how they are read."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
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
    "digits for garments": lambda: plots.confusion_matrix(confusion(10) * 100, DIGITS, GARMENTS, "fashion_mnist"),
    "data of a long name": lambda: plots.confusion_matrix(
        confusion(3) * 100, "abc", [g * 3 for g in GARMENTS[:3]], "_" * 60
    ),
    "20 classes": lambda: plots.confusion_matrix(confusion(20), [f"class {k}" for k in range(20)]),
    "200 classes": lambda: plots.confusion_matrix(confusion(200), [f"class {k}" for k in range(200)]),
    "no test set": lambda: plots.confusion_matrix(np.zeros((2, 2), int), ["cat", "dog"]),
    "6 kernels": lambda: plots.filters(np.random.default_rng(0).normal(size=(6, 1, 5, 5))),
    "colour kernels": lambda: plots.filters(np.random.default_rng(0).normal(size=(64, 3, 3, 3))),
    "25 mistakes": lambda: plots.mistakes(**wrong_images(40), classes=DIGITS),
    "garments mistaken": lambda: plots.mistakes(**wrong_images(40), classes=GARMENTS),
    "colour mistakes": lambda: plots.mistakes(**wrong_images(3, channels=3), classes=DIGITS),
    "no mistakes": lambda: plots.mistakes(**wrong_images(0), classes=DIGITS),
    "distortions": lambda: plots.distortions(wrong_images(8)["images"], np.full((6, 8, 1, 28, 28), 99.5)),
    "colour distortions": lambda: plots.distortions(wrong_images(2, 3)["images"], np.full((3, 2, 3, 28, 28), 99.5)),
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
