"""Where the windows of a convolution lie, forwards and backwards: a kernel of 3×3, stride 2, padding 1, image 5×5."""

from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from docs.pictures.canvas import canvas, cell
from lenet.plots.style import BLUE, GREY, MEDIUM, ORANGE, PALE

KERNEL, STRIDE, PADDING, SIZE = 3, 2, 1, 5
OUTPUTS = (SIZE + 2 * PADDING - KERNEL) // STRIDE + 1
FRAME = SIZE + 2 * PADDING
PIXEL, ZERO, GIVEN = "#cfe5f3", "#f4f4f4", "#f9dcc7"


def convolution() -> Figure:
    """The padded image with two windows, and the outputs that they belong to."""
    figure, axes = canvas(4.9, (-0.2, 13.3), (8.2, -1.2))
    _title(axes, 0, f"padded image, {FRAME}×{FRAME}")
    for row, column in product(range(FRAME), repeat=2):
        inside = PADDING <= row < PADDING + SIZE and PADDING <= column < PADDING + SIZE
        text = f"{row - PADDING}{column - PADDING}" if inside else "0"
        cell(axes, column, row, PIXEL if inside else ZERO, text, PALE)
    _title(axes, 9.4, f"output, {OUTPUTS}×{OUTPUTS}")
    for i, j in product(range(OUTPUTS), repeat=2):
        cell(axes, 9.4 + j, 2 + i, GIVEN, f"y{i}{j}", PALE)
    for (i, j), colour in (((0, 0), BLUE), ((1, 2), ORANGE)):
        _frame(axes, j * STRIDE, i * STRIDE, KERNEL, colour)
        _frame(axes, 9.4 + j, 2 + i, 1, colour)
    axes.text(0, 7.8, "Each window is multiplied by the kernel and summed.", fontsize=MEDIUM, color=GREY)
    return figure


def input_gradient() -> Figure:
    """The gradients by the outputs, spread out and padded, and the windows of the turned kernel for two pixels."""
    figure, axes = canvas(4.9, (-0.2, 13.3), (8.2, -1.2))
    before = KERNEL - 1 - PADDING
    _title(axes, 0, f"dy spread out and padded, {SIZE + KERNEL - 1}×{SIZE + KERNEL - 1}")
    for row, column in product(range(SIZE + KERNEL - 1), repeat=2):
        i, j = (row - before) / STRIDE, (column - before) / STRIDE
        given = i in range(OUTPUTS) and j in range(OUTPUTS)
        cell(axes, column, row, GIVEN if given else ZERO, f"dy{int(i)}{int(j)}" if given else "0", PALE)
    _title(axes, 8.2, f"gradient by the image, {SIZE}×{SIZE}")
    for row, column in product(range(SIZE), repeat=2):
        cell(axes, 8.2 + column, 1 + row, PIXEL, f"{row}{column}", PALE)
    for (row, column), colour in (((0, 0), BLUE), ((3, 3), ORANGE)):
        _frame(axes, column, row, KERNEL, colour)
        _frame(axes, 8.2 + column, 1 + row, 1, colour)
    told = "Windows move by one, whatever the stride was: zeros decide which places of the kernel count."
    axes.text(0, 7.8, told, fontsize=MEDIUM, color=GREY)
    return figure


def _title(axes: Axes, x: float, text: str) -> None:
    axes.text(x, -0.4, text, fontsize=MEDIUM)


def _frame(axes: Axes, x: float, y: float, size: int, colour: str) -> None:
    axes.add_patch(Rectangle((x, y), size, size, fill=False, edgecolor=colour, lw=2.2, zorder=3))
