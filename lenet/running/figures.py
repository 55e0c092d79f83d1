"""Which figures a run records, and what each is drawn from."""

from collections.abc import Iterator

import numpy as np

from lenet import plots
from lenet.arrays.memory import Workspace
from lenet.layers import Dropout, Flatten
from lenet.running.observation import Observer, has_kernels
from lenet.running.session import Session
from lenet.training.engine import Scores
from lenet.training.trainer import Record


def draw(
    session: Session, scores: Scores, records: list[Record], title: str, observer: Observer | None
) -> Iterator[tuple[str, bytes]]:
    """Yield each figure's artifact name and PNG; `scores` are those of the test set, `records` one for each epoch.

    With an `observer`, also the kernels of the convolutions after the first, and what goes on within the network.
    """
    data = session.dataset
    if session.distortion:
        yield "figures/augmentation.png", plots.to_png(plots.distortions(*session.examples()))
    yield "figures/curves.png", plots.to_png(plots.curves(records, title))
    confusion = scores.confusion(len(data.classes))
    yield "figures/confusion_matrix.png", plots.to_png(plots.confusion_matrix(confusion, data.classes))
    convolutions = [layer for layer in session.network.layers if has_kernels(layer)]
    for number, layer in enumerate(convolutions if observer else convolutions[:1]):
        weights = session.backend.to_host(layer.parameters["weight"])
        name = f"filters_{layer.name}" if number else "filters"
        yield f"figures/{name}.png", plots.to_png(plots.filters(weights))
    mistakes = plots.mistakes(data.test_images, scores.labels, scores.predictions, scores.probabilities, data.classes)
    yield "figures/mistakes.png", plots.to_png(mistakes)
    if observer:
        yield from _teach(session, observer)


def _teach(session: Session, observer: Observer) -> Iterator[tuple[str, bytes]]:
    """Yield the figures of what was observed, and of what the network makes of the first test image."""
    observed = observer.observed
    kernels = {epoch: np.array(each) for epoch, each in observed.kernels.items()}
    last = observer.kernels()
    if last is not None:
        kernels[observer.epoch] = last
        yield "figures/filters_forming.png", plots.to_png(plots.forming(kernels))
    yield "figures/gradient_norms.png", plots.to_png(plots.gradient_norms(observed.gradients))
    yield "figures/feature_maps.png", plots.to_png(feature_maps(session, 0))


def feature_maps(session: Session, number: int) -> plots.Figure:
    """Draw what each layer of the network makes of a test image, counted from 0."""
    chosen = session.backend.array([number])
    x, _ = session.engine.tables["test"].batch(chosen, Workspace(session.backend))
    outputs = [("image", np.array(session.backend.to_host(x))[0])]
    for layer in session.network.layers:
        x = layer.forward(x)
        if not isinstance(layer, Flatten | Dropout):
            outputs.append((layer.name, np.array(session.backend.to_host(x))[0]))
    logits = outputs[-1][1]
    softmax = np.exp(logits - logits.max())
    return plots.feature_maps(outputs, softmax / softmax.sum(), session.dataset.classes)
