"""Which figures a run records, and what each is drawn from."""

from collections.abc import Iterator

from lenet import plots
from lenet.layers import Conv2d
from lenet.session import Session
from lenet.training.engine import Scores
from lenet.training.trainer import Record


def draw(
    session: Session, scores: Scores, records: list[Record], title: str, everything: bool
) -> Iterator[tuple[str, bytes]]:
    """Yield each figure's artifact name and PNG; `scores` are those of the test set, `records` one for each epoch.

    With `everything`, also the kernels of the convolutions after the first.
    """
    data = session.dataset
    if session.distortion:
        yield "figures/augmentation.png", plots.to_png(plots.distortions(*session.examples()))
    yield "figures/curves.png", plots.to_png(plots.curves(records, title))
    confusion = scores.confusion(len(data.classes))
    yield "figures/confusion_matrix.png", plots.to_png(plots.confusion_matrix(confusion, data.classes))
    convolutions = [layer for layer in session.network.layers if isinstance(layer, Conv2d)]
    for number, layer in enumerate(convolutions if everything else convolutions[:1]):
        weights = session.backend.to_host(layer.parameters["weight"])
        name = f"filters_{layer.name}" if number else "filters"
        yield f"figures/{name}.png", plots.to_png(plots.filters(weights))
    mistakes = plots.mistakes(data.test_images, scores.labels, scores.predictions, scores.probabilities, data.classes)
    yield "figures/mistakes.png", plots.to_png(mistakes)
