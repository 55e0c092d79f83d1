"""The figures of a run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lenet.plots.style import (
    BLUE,
    LARGE,
    MEDIUM,
    ORANGE,
    PALE,
    SMALL,
    WIDTH,
    colour_bar,
    finite,
    new_axes,
    new_figure,
    short,
)


def curves(history: Sequence[Mapping[str, float]], title: str) -> Figure:
    """Loss (left axis) and accuracy (right) against the epoch, for training and validation.

    `history` holds a record for each epoch, metric name to value. What is missing or not finite leaves a gap.
    """
    figure = new_figure(4.4)
    left = new_axes(figure, title)
    right = left.twinx()
    epochs = np.arange(1, len(history) + 1)
    marker = "o" if len(history) <= 30 else ""
    for axes, quantity, colour in ((left, "loss", BLUE), (right, "accuracy", ORANGE)):
        for split, style in (("train", "--"), ("val", "-")):
            values = finite([record.get(f"{split}/{quantity}", math.nan) for record in history])
            if not np.isnan(values).all():
                name = f"{split} {quantity}"
                axes.plot(epochs, values, style, color=colour, marker=marker, ms=3.5, label=name, clip_on=False)
        axes.set_ylabel(quantity, color=colour, fontsize=MEDIUM)
        axes.tick_params(axis="y", labelcolor=colour, labelsize=SMALL, length=0)
        axes.margins(y=0.1)
    left.set_xlabel("epoch", fontsize=MEDIUM)
    left.set_xlim(0.5, max(1, len(history)) + 0.5)
    left.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    left.set_ylim(bottom=0)
    right.set_ylim(top=1)
    right.yaxis.set_major_formatter(PercentFormatter(1))
    right.spines[:].set_visible(False)
    if left.lines or right.lines:
        figure.legend(loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)
    return figure


def confusion_matrix(
    matrix: npt.NDArray[np.integer[Any]],
    classes: Sequence[str],
    true: Sequence[str] | None = None,
    data: str | None = None,
) -> Figure:
    """Counts by true class (rows) and predicted class (columns), coloured by their share of the row.

    `matrix` is (K, K). Counts other than 0 are written into the cells for up to 20 classes. The rows have the names
    `true` where those are not the network's `classes`, and the title names the `data` where it is said.
    """
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    names, rows = ([short(name) for name in each] for each in (classes, true or classes))
    longest = max(map(len, [*names, *rows]))
    side = min(max(0.55 * len(names), 3.5), 6.6)
    figure = new_figure(side + 0.08 * longest + 1.7, side + 0.08 * longest + 0.8)
    on_which = f"\non {short(data, 24)}" if data else ""
    axes = new_axes(figure, f"{np.trace(matrix):,} of {matrix.sum():,} right{on_which}")
    # The square root lifts a good network's few mistakes out of the white.
    image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    if len(names) <= 20:
        for row, column in np.argwhere(matrix):
            colour = "white" if share[row, column] > 0.3 else "black"
            cell = f"{matrix[row, column]}"
            axes.text(column, row, cell, color=colour, fontsize=SMALL, ha="center", va="center")
    every = math.ceil(len(names) / 25)
    ticks = range(0, len(names), every)
    axes.set_xticks(ticks, names[::every], rotation=90 if max(map(len, names)) > 3 else 0)
    axes.set_yticks(ticks, rows[::every])
    axes.grid(visible=False)
    axes.set_xlabel("predicted", fontsize=MEDIUM)
    axes.set_ylabel("true", fontsize=MEDIUM)
    bar = colour_bar(figure, axes, image, "share of the true class", "bottom")
    bar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1], labels=["0%", "1%", "5%", "20%", "50%", "100%"])
    return figure


def filters(weights: npt.NDArray[np.floating[Any]], most: int = 64) -> Figure:
    """The kernels (O, C, KH, KW) of a first layer: a tile for each output, its channels one below another."""
    outputs, channels, height, width = weights.shape
    gapped = np.full((outputs, channels, height + 1, width), math.nan)
    gapped[:, :, :height] = weights
    tiles = list(gapped.reshape(outputs, -1, width)[:most, :-1])
    captions = [str(number) for number in range(1, len(tiles) + 1)]
    # Wider than high, with 6 to 16 in a row.
    columns = min(max(6, math.ceil(math.sqrt(2 * len(tiles) * channels * height / width))), 16)
    title = "Kernels of the first layer" + (f" ({most} of {outputs})" if outputs > most else "")
    limit = float(np.nanmax(np.abs(finite(weights)), initial=0)) or 1.0
    figure, axes, image = _mosaic(tiles, captions, columns, title, "RdBu_r", Normalize(-limit, limit))
    colour_bar(figure, axes, image, "weight", "right")
    return figure


def mistakes(
    images: npt.NDArray[np.uint8],
    true: npt.NDArray[np.integer[Any]],
    predicted: npt.NDArray[np.integer[Any]],
    probability: npt.NDArray[np.floating[Any]],
    classes: Sequence[str],
    most: int = 25,
) -> Figure:
    """The wrongly labelled of `images` (M, C, H, W), most confident first: "true → predicted (probability)".

    `true`, `predicted` and `probability` (that of the predicted class) are (M,). What is right is left out.
    """
    wrong = np.flatnonzero(true != predicted)
    if not wrong.size:
        figure = new_figure(1.6)
        figure.text(0.5, 0.5, "No mistakes", fontsize=LARGE, ha="center", va="center")
        return figure
    chosen = wrong[np.argsort(-probability[wrong], kind="stable")][:most]
    pairs = [(short(classes[true[index]]), short(classes[predicted[index]])) for index in chosen]
    gap = "\n" if max(len(was + said) for was, said in pairs) > 6 else " "
    captions = [
        f"{was} →{gap}{said} ({share:.2f})" for (was, said), share in zip(pairs, probability[chosen], strict=True)
    ]
    number = f"{len(wrong):,} mistakes" if len(wrong) <= most else f"{most} of {len(wrong):,} mistakes"
    title = f"{number}, most confident first: true → predicted (probability)"
    tiles = [_displayable(images[index]) for index in chosen]
    return _mosaic(tiles, captions, 5, title, "gray", Normalize(0, 255))[0]


def distortions(images: npt.NDArray[np.uint8], distorted: npt.NDArray[np.floating[Any]]) -> Figure:
    """Training images (N, C, H, W) in the top row, and below them as steps see them: (draws, N, C, H, W)."""
    tiles = [_displayable(image) for row in (images, *distorted) for image in row]
    tiles = [np.clip(tile, 0, 255).astype(np.uint8) for tile in tiles]
    captions = ["as it is"] * len(images) + [""] * (len(tiles) - len(images))
    title = "Training images, and how steps see them"
    return _mosaic(tiles, captions, len(images), title, "gray", Normalize(0, 255))[0]


def _mosaic(
    tiles: Sequence[npt.NDArray[Any]],
    captions: Sequence[str],
    columns: int,
    title: str,
    cmap: str,
    norm: Normalize,
) -> tuple[Figure, Axes, AxesImage]:
    """Draw tiles of one shape row by row, captions above, in one pair of axes: far faster than axes for each.

    A tile is 1 wide; the room above it for its caption follows from the inches that 1 is drawn as.
    """
    rows = math.ceil(len(tiles) / columns)
    height = tiles[0].shape[0] / tiles[0].shape[1]
    inches = min(1.2, (WIDTH - 1) / (1.12 * columns))
    pitch = height + (0.1 + 0.17 * (1 + captions[0].count("\n"))) / inches
    figure = new_figure(inches * pitch * rows + 0.75)
    axes = new_axes(figure, title)
    palette = colormaps[cmap].with_extremes(bad=PALE)
    for index, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        left, top = 1.12 * (index % columns), pitch * (index // columns + 1) - height
        extent = (left, left + 1, top + height, top)
        image = axes.imshow(tile, cmap=palette, norm=norm, extent=extent, interpolation="nearest")
        axes.add_patch(Rectangle((left, top), 1, height, fill=False, ec=PALE))
        axes.text(left + 0.5, top - 0.04 / inches, caption, fontsize=SMALL, ha="center")
    axes.set(xlim=(0, 1.12 * columns - 0.12), ylim=(pitch * rows, 0))
    axes.set_axis_off()
    return figure, axes, image


def _displayable(image: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Turn (C, H, W) into (H, W, 3) where the channels are colours, else into the mean of the channels."""
    return image.transpose(1, 2, 0) if len(image) == 3 else image.mean(axis=0)
