"""In which order the pixels of two images lie in memory."""

from matplotlib.figure import Figure

from docs.pictures.canvas import canvas, cell
from lenet.plots.style import MEDIUM

COLOURS = ("#cfe5f3", "#f9dcc7")
"""Of the first image and of the second."""
ROWS, COLUMNS = 2, 3


def memory() -> Figure:
    """Two images of one channel, 2×3 pixels, in both orders; pixel (row, column) is written as two digits."""
    figure, axes = canvas(3.4, (0, 12.6), (10.2, -0.6))
    pixels = [(row, column) for row in range(ROWS) for column in range(COLUMNS)]
    for image, colour in enumerate(COLUMN_STARTS):
        axes.text(colour, -0.1, f"image {image}", fontsize=MEDIUM)
        for row, column in pixels:
            cell(axes, colour + column, 0.4 + row, COLOURS[image], f"{row}{column}")
    by_image = [(image, pixel) for image in (0, 1) for pixel in pixels]
    by_pixel = [(image, pixel) for pixel in pixels for image in (0, 1)]
    lines = (
        (4.2, "(N, C, H, W): one image after the other", by_image),
        (7.4, "(H, C, W, N), as lenet keeps them: one pixel after the other, each of all images", by_pixel),
    )
    for top, title, order in lines:
        axes.text(0.3, top - 0.3, title, fontsize=MEDIUM)
        for place, (image, (row, column)) in enumerate(order):
            cell(axes, 0.3 + place, top, COLOURS[image], f"{row}{column}")
    axes.annotate("", (12.3, 9.2), (0.3, 9.2), arrowprops={"arrowstyle": "->", "lw": 0.8})
    axes.text(0.3, 9.9, "addresses in memory", fontsize=MEDIUM)
    return figure


COLUMN_STARTS = (0.3, 4.6)
"""Where the images are drawn."""
