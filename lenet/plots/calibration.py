"""The figure of how far a network's confidence can be trusted."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from lenet.plots.style import BLUE, GREY, MEDIUM, ORANGE, SMALL, new_axes, new_figure


def calibration(
    edges: Sequence[tuple[float, float]],
    images: Sequence[int],
    confidences: Sequence[float],
    accuracies: Sequence[float],
    title: str,
) -> Figure:
    """Accuracy against confidence in bins, all of one length: `edges`, images, mean confidence and accuracy.

    Where the network is as sure as it is right, a bin's point lies on the diagonal. Bars show the share of all images.
    """
    figure = new_figure(4.6, 5.6)
    axes = new_axes(figure, title)
    total = sum(images)
    axes.bar(
        [low for low, _ in edges],
        [count / total for count in images],
        [high - low for low, high in edges],
        align="edge",
        color=GREY,
        alpha=0.25,
        label="share of images",
    )
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--", label="as sure as right")
    axes.plot(confidences, accuracies, "o-", color=BLUE, lw=1.5, ms=5, label="accuracy", clip_on=False)
    for confidence, accuracy in zip(confidences, accuracies, strict=True):
        axes.plot([confidence] * 2, [confidence, accuracy], color=ORANGE, lw=1)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("confidence: probability of the predicted class", fontsize=MEDIUM)
    axes.set_ylabel("share", fontsize=MEDIUM)
    figure.legend(loc="outside lower center", ncols=3, fontsize=SMALL, frameon=False)
    return figure
