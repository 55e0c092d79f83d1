"""The stages of a training step, with the shapes of what goes from one to the next, as the network itself has them."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from docs.pictures.canvas import canvas
from lenet.arrays.backend import BackendSettings
from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.network import Network
from lenet.plots.style import BLUE, GREY, MEDIUM, ORANGE, PALE, SMALL

PIECE = 32
"""Images that are worked on at once."""


def flow() -> Figure:
    """The layers of LeNet-5 from the image table to the loss, gradients on their way back, and the update."""
    plan = build(compose_config())
    network = Network(plan.network.layers(10), (1, 28, 28), 10, BackendSettings("numpy", "float32", 1).open())
    stages: list[tuple[str, str, int]] = [("image table", "bytes", 0), ("batch", "1×28×28", 0)]
    stages += [(each.name, "×".join(map(str, each.shape)), each.parameters) for each in network.summaries]
    stages += [("loss", "one number an image", 0)]
    figure, axes = canvas(0.42 * len(stages) + 1.3, (0, 12.6), (len(stages) + 1.2, -1.4))
    axes.text(3.4, -0.8, f"forward, {PIECE} images at once", fontsize=MEDIUM, color=BLUE, ha="center")
    axes.text(7.2, -0.8, "backward, the same shapes", fontsize=MEDIUM, color=ORANGE, ha="center")
    for place, (name, shape, parameters) in enumerate(stages):
        axes.text(0.1, place, name, fontsize=MEDIUM, va="center")
        axes.text(3.4, place, shape, fontsize=MEDIUM, va="center", ha="center", color=BLUE)
        if place > 1:
            _arrow(axes, 3.4, place - 0.72, place - 0.28, BLUE)
        if place == 1:
            _arrow(axes, 3.4, 0.28, 0.72, BLUE)
        if place > 3:
            _arrow(axes, 7.2, place - 0.28, place - 0.72, ORANGE)
        if 2 < place < len(stages) - 1:
            axes.text(7.2, place, shape, fontsize=MEDIUM, va="center", ha="center", color=ORANGE)
        if parameters:
            axes.annotate(
                f"{parameters:,} gradients",
                (12.5, place),
                (8.6, place),
                fontsize=SMALL,
                va="center",
                color=ORANGE,
                arrowprops={"arrowstyle": "->", "color": ORANGE, "lw": 0.8},
            )
    axes.plot([12.5, 12.5], [2, len(stages) - 1], color=PALE, lw=7, solid_capstyle="butt", zorder=0)
    total = f"one vector of {network.size:,} gradients: summed over pieces, then one step of the optimizer"
    axes.text(12.5, len(stages) + 0.3, total, fontsize=MEDIUM, color=GREY, ha="right", va="center")
    return figure


def _arrow(axes: Axes, x: float, start: float, end: float, colour: str) -> None:
    axes.annotate("", (x, end), (x, start), arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.1})
