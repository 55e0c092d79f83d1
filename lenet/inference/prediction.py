"""Labelling image files with a trained network, and showing what they were taken for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Literal, get_args

import numpy as np

from lenet.common.tables import COLUMNS, cut, display_width, one_line, to_data, to_table
from lenet.data.dataset import Images
from lenet.data.drawings import Way, prepare
from lenet.data.gathering import Gathered
from lenet.data.image_files import Channels, ImageFile, frames
from lenet.errors import UserError
from lenet.inference.trained import Prediction, Trained

TOGETHER = 256
"""Images that are read before they are labelled."""
HEADER = ("file", "label", "probability", "runner_up")
LABEL = 16
"""Columns of a class's name in a table."""

Form = Literal["table", "csv", "json"]
Outcome = tuple[str, Prediction | UserError]
"""What an image is called, and what it was taken for or why it could not be read."""


def label(trained: Trained, images: Iterable[Gathered], way: Way) -> Iterator[Outcome]:
    """Yield what each image was taken for, in their order; `way` is how they are brought to the network.

    Raises `UserError` where the network takes neither grey levels nor RGB.
    """
    prepared = preparing(trained, way)
    waiting: list[tuple[str, Images | UserError]] = []
    for name, image in images:
        try:
            if isinstance(image, UserError):
                raise image
            waiting.append((name, prepared(image, name)))
        except UserError as fault:
            waiting.append((name, fault))
        if len(waiting) == TOGETHER:
            yield from _labelled(trained, waiting)
            waiting = []
    yield from _labelled(trained, waiting)


def counted(images: Iterable[Gathered], counts: dict[str, int]) -> Iterator[Gathered]:
    """Yield the images, and note in `counts` how many frames each has by its name: only the first is looked at."""
    for name, image in images:
        if not isinstance(image, UserError):
            counts[name] = frames(image)
        yield name, image


def preparing(trained: Trained, way: Way) -> Callable[[ImageFile, str], Images]:
    """Return what reads an image file, called by a name, as the network is to see it, uint8 `(C, H, W)`.

    Raises `UserError` where the network takes neither grey levels nor RGB.
    """
    if trained.input_shape[0] not in get_args(Channels):
        raise UserError(f"the network takes images of {trained.input_shape[0]} channels, and image files have 1 or 3.")
    framing = trained.framing
    return lambda image, name: prepare(image, name, way, framing, trained.input_shape)


def way_in_words(way: Way, trained: Trained) -> str:
    """Say how images are brought to the network."""
    channels, height, width = trained.input_shape
    size = f"{height}×{width}"
    match way:
        case "mnist":
            return "images are made as MNIST was: grey, cropped, 20 pixels long, centred by mass"
        case "resized":
            background = trained.framing.background if channels == 1 else None
            paper = f", on a {background} background" if background else ""
            return f"images are resized to {size}, in {'grey' if channels == 1 else 'colour'}{paper}"
        case "raw":
            return f"images are taken as they are, {size}"


def render(outcomes: Sequence[Outcome], form: Form) -> str:
    """Return a row for each image that was labelled, as text that ends in a line's end."""
    rows = [{"file": name, **asdict(found)} for name, found in outcomes if isinstance(found, Prediction)]
    if form == "table":
        return _table(rows) if rows else ""
    if rows:
        return to_data(rows, form)
    return "[]\n" if form == "json" else ",".join(HEADER) + "\n"


def _labelled(trained: Trained, waiting: Sequence[tuple[str, Images | UserError]]) -> Iterator[Outcome]:
    images = [image for _, image in waiting if not isinstance(image, UserError)]
    predictions = iter(trained.predict(np.stack(images)) if images else ())
    for name, image in waiting:
        yield name, image if isinstance(image, UserError) else next(predictions)


def _table(rows: Sequence[dict[str, object]]) -> str:
    """Return a table as wide as a terminal at most: names of files are cut."""
    told = [
        {
            "label": cut(str(row["label"]), LABEL),
            "probability": f"{row['probability']:.4f}",
            "runner_up": cut(str(row["runner_up"]), LABEL),
        }
        for row in rows
    ]
    taken = display_width(to_table(told, "table")) + 2
    files = [{"file": cut(one_line(str(row["file"])), COLUMNS - taken)} for row in rows]
    return to_table([file | rest for file, rest in zip(files, told, strict=True)], "table")
