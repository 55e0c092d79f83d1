"""Which figures a run records, and what each is drawn from."""

from collections.abc import Iterator

import numpy as np

from lenet import plots
from lenet.layers import Conv2d
from lenet.session import Session
from lenet.training.engine import Scores
from lenet.training.trainer import Record


def draw(session: Session, scores: Scores, records: list[Record], title: str) -> Iterator[tuple[str, bytes]]:
    """Yield each figure's artifact name and PNG; `scores` are those of the test set, `records` one for each epoch."""
    data = session.dataset
    yield "figures/curves.png", plots.to_png(plots.curves(records, title))
    confusion = scores.confusion(len(data.classes))
    yield "figures/confusion_matrix.png", plots.to_png(plots.confusion_matrix(confusion, data.classes))
    first = next((layer for layer in session.network.layers if isinstance(layer, Conv2d)), None)
    if first is not None:
        weights = session.backend.to_host(first.parameters["weight"])
        yield "figures/filters.png", plots.to_png(plots.filters(np.asarray(weights)))
    mistakes = plots.mistakes(data.test_images, scores.labels, scores.predictions, scores.probabilities, data.classes)
    yield "figures/mistakes.png", plots.to_png(mistakes)
