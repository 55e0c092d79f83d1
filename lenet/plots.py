"""The figures of a run and of a sweep. The only file that imports matplotlib, and never its global pyplot.

Sizes are in inches, for a page that shows a figure about 700 pixels wide; no text is smaller than 9 points.
"""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

# From the palette of Okabe & Ito 2008, which colour-blind readers can tell apart.
BLUE, ORANGE = "#0072b2", "#d55e00"
GREY, PALE = "#767676", "#dddddd"
SMALL, MEDIUM, LARGE = 9, 10, 12
WIDTH = 7.0


def to_png(figure: Figure, dpi: int = 150) -> bytes:
    """Render `figure` as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def curves(history: Sequence[Mapping[str, float]], title: str) -> Figure:
    """Loss (left axis) and accuracy (right) against the epoch, for training and validation.

    `history` holds a record for each epoch, metric name to value. What is missing or not finite leaves a gap.
    """
    figure = _figure(4.4)
    left = _axes(figure, title)
    right = left.twinx()
    epochs = np.arange(1, len(history) + 1)
    marker = "o" if len(history) <= 30 else ""
    for axes, quantity, colour in ((left, "loss", BLUE), (right, "accuracy", ORANGE)):
        for split, style in (("train", "--"), ("val", "-")):
            values = _finite([record.get(f"{split}/{quantity}", math.nan) for record in history])
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


def confusion_matrix(matrix: npt.NDArray[np.integer[Any]], classes: Sequence[str]) -> Figure:
    """Counts by true class (rows) and predicted class (columns), coloured by their share of the row.

    `matrix` is (K, K). Counts other than 0 are written into the cells for up to 20 classes.
    """
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    names = [_short(name) for name in classes]
    longest = max(map(len, names))
    side = min(max(0.55 * len(names), 3.5), 6.6)
    figure = _figure(side + 0.08 * longest + 1.7, side + 0.08 * longest + 0.8)
    axes = _axes(figure, f"{np.trace(matrix):,} of {matrix.sum():,} right")
    # The square root lifts a good network's few mistakes out of the white.
    image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    if len(names) <= 20:
        for row, column in np.argwhere(matrix):
            colour = "white" if share[row, column] > 0.3 else "black"
            cell = f"{matrix[row, column]}"
            axes.text(column, row, cell, color=colour, fontsize=SMALL, ha="center", va="center")
    every = math.ceil(len(names) / 25)
    ticks = range(0, len(names), every)
    axes.set_xticks(ticks, names[::every], rotation=90 if longest > 3 else 0)
    axes.set_yticks(ticks, names[::every])
    axes.grid(visible=False)
    axes.set_xlabel("predicted", fontsize=MEDIUM)
    axes.set_ylabel("true", fontsize=MEDIUM)
    bar = _colour_bar(figure, axes, image, "share of the true class", "bottom")
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
    limit = float(np.nanmax(np.abs(_finite(weights)), initial=0)) or 1.0
    figure, axes, image = _mosaic(tiles, captions, columns, title, "RdBu_r", Normalize(-limit, limit))
    _colour_bar(figure, axes, image, "weight", "right")
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
        figure = _figure(1.6)
        figure.text(0.5, 0.5, "No mistakes", fontsize=LARGE, ha="center", va="center")
        return figure
    chosen = wrong[np.argsort(-probability[wrong], kind="stable")][:most]
    pairs = [(_short(classes[true[index]]), _short(classes[predicted[index]])) for index in chosen]
    gap = "\n" if max(len(was + said) for was, said in pairs) > 6 else " "
    captions = [
        f"{was} →{gap}{said} ({share:.2f})" for (was, said), share in zip(pairs, probability[chosen], strict=True)
    ]
    number = f"{len(wrong):,} mistakes" if len(wrong) <= most else f"{most} of {len(wrong):,} mistakes"
    title = f"{number}, most confident first: true → predicted (probability)"
    tiles = [_displayable(images[index]) for index in chosen]
    return _mosaic(tiles, captions, 5, title, "gray", Normalize(0, 255))[0]


def sweep(rows: Sequence[Mapping[str, Any]], key: str, metric: str) -> Figure:
    """`metric` against the swept `key`: a dot for each run and, for numbers, a line through the means.

    Each of `rows`, at least one, holds a run's values of both and, where it diverged, a true `diverged` (or
    the text "true"). Diverged runs and runs without a finite value are crosses on the lower edge. The axis is
    logarithmic where the values are positive numbers, the largest over 5 times the smallest; else each value
    has its place, numbers in their order.
    """
    values = sorted({_number(row[key]) for row in rows}, key=lambda value: (isinstance(value, str), value))
    numbers = [value for value in values if not isinstance(value, str)]
    numeric = len(numbers) == len(values)
    logarithmic = numeric and 0 < 5 * numbers[0] < numbers[-1]
    place = dict(zip(values, numbers if logarithmic else range(len(values)), strict=True))
    at = np.array([place[_number(row[key])] for row in rows], float)
    diverged = np.array([str(row.get("diverged")).lower() == "true" for row in rows])
    score = np.where(diverged, math.nan, _finite([row.get(metric, math.nan) for row in rows]))
    known = ~np.isnan(score)

    figure = _figure(4.2)
    axes = _axes(figure, f"{metric} by {key}")
    axes.margins(y=0.12)
    if numeric:
        means = {x: score[known & (at == x)].mean() for x in np.unique(at[known])}
        axes.plot(list(means), list(means.values()), color=BLUE, lw=1, alpha=0.5)
    axes.plot(at, score, "o", color=BLUE, alpha=0.75, clip_on=False)
    for mask, name, colour in ((diverged, "diverged", ORANGE), (~known & ~diverged, "no value", GREY)):
        if mask.any():
            edge, lower = np.full(mask.sum(), 0.03), axes.get_xaxis_transform()
            axes.plot(at[mask], edge, "x", color=colour, ms=8, mew=2, transform=lower, label=name)
    if not known.all():
        figure.legend(loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    if logarithmic:
        axes.set_xscale("log")
    else:
        axes.set_xlim(-0.5, len(values) - 0.5)
    if not logarithmic or len(values) <= 8:
        names = [_short(value, 20) if isinstance(value, str) else f"{value:g}" for value in values]
        axes.set_xticks(list(place.values()), names, rotation=90 if sum(map(len, names)) > 70 else 0)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(key, fontsize=MEDIUM)
    axes.set_ylabel(metric, fontsize=MEDIUM)
    if metric.endswith("accuracy"):
        axes.set_ylim(top=min(1.0, axes.get_ylim()[1]))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    if not known.any():
        axes.set_yticks([])
    return figure


def _figure(height: float, width: float = WIDTH) -> Figure:
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def _axes(figure: Figure, title: str) -> Axes:
    """Return axes with the style that all figures share."""
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=LARGE, loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=SMALL, length=0)
    axes.grid(axis="y", color=PALE, lw=0.7)
    axes.set_axisbelow(True)
    return axes


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
    figure = _figure(inches * pitch * rows + 0.75)
    axes = _axes(figure, title)
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


def _colour_bar(
    figure: Figure, axes: Axes, image: AxesImage, label: str, location: Literal["right", "bottom"]
) -> Colorbar:
    bar = figure.colorbar(image, ax=axes, location=location, shrink=0.8, aspect=40)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, length=0)
    bar.set_label(label, fontsize=MEDIUM)
    return bar


def _displayable(image: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Turn (C, H, W) into (H, W, 3) where the channels are colours, else into the mean of the channels."""
    return image.transpose(1, 2, 0) if len(image) == 3 else image.mean(axis=0)


def _finite(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the values as floats, with what is not finite made NaN: a gap in a line."""
    numbers = np.array(values, np.float64)
    numbers[~np.isfinite(numbers)] = math.nan
    return numbers


def _number(value: object) -> float | str:
    """Return a swept value as a finite number where it is one or reads like one, else as text."""
    try:
        number = float(str(value))
    except ValueError:
        return str(value)
    return number if math.isfinite(number) else str(value)


def _short(name: str, most: int = 14) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
