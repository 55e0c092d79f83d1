"""A network as a run has trained it, ready to be used: rebuilt from a checkpoint, of which nothing is trusted.

What a checkpoint says is enough: the layers, the weights, how pixels are scaled, the names of the classes. Neither the
run's data nor its store are needed for it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Annotated, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from lenet import checkpoint
from lenet.arrays.backend import Array, Backend, BackendSettings
from lenet.arrays.memory import Workspace
from lenet.checkpoint import Checkpoint
from lenet.checkpoint.meta import reading
from lenet.configuration.build import build_network
from lenet.data.dataset import MAX_CLASSES, MAX_SIDE, Images
from lenet.data.framing import MNIST_SHAPE, Framing
from lenet.data.loader import ImageTable
from lenet.errors import Failure, UserError
from lenet.network import Network
from lenet.recorded.stored import Stored

Which = Literal["best", "last"]
"""A run's checkpoints: of its best epoch in validation, and of its last step."""

PIECE = 32
"""Images that go through a network at once: always so many, the last of them again where there are no more, so that
what comes of an image depends on no other, to the last bit."""

PARAMETERS = "param/"
MNIST = ("lenet.data.Mnist", "lenet.data.Mnist5k")

Floats = npt.NDArray[np.floating[Any]]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


@dataclass(frozen=True)
class Prediction:
    """The class an image was taken for, how probable that is to the network, and the class that comes second."""

    label: str
    probability: float
    runner_up: str


class Scaling(BaseModel):
    """How pixels become a network's input: `(pixel - shift) / scale`."""

    model_config = ConfigDict(strict=True, frozen=True)

    shift: FiniteFloat
    scale: Annotated[FiniteFloat, Field(gt=0)]


class Description(BaseModel):
    """What a checkpoint's `meta` says of its network; other keys are not looked at."""

    model_config = ConfigDict(strict=True, frozen=True)

    config: dict[str, Any]
    classes: Annotated[list[str], Field(min_length=2, max_length=MAX_CLASSES)]
    input_shape: Annotated[list[Side], Field(min_length=3, max_length=3)]
    scaling: Scaling
    data_digest: str
    framing: Framing | None = None
    epoch: Annotated[int, Field(ge=0)]


class Trained:
    """A network with the weights of a checkpoint; what it computes is the same whatever else it is given beside.

    `allowed` are the modules besides lenet's own whose layers and losses may be built. Computed is with NumPy on one
    thread, in the floating-point type in which the network was trained, unless a `backend` is given. May be used by
    several threads, which take turns. Raises `UserError`, naming the checkpoint, where it does not hold a network.
    """

    def __init__(self, saved: Checkpoint, allowed: Collection[str] = (), backend: Backend | None = None) -> None:
        self.saved = saved
        self.description = describe(saved)
        self.classes = tuple(self.description.classes)
        source = f"checkpoint {saved.path}: `config`"
        settings, self.loss, dtype = build_network(self.description.config, source, allowed)
        self.backend = backend or replace(BackendSettings("numpy", threads=1).open(), dtype=dtype)
        self.network = Network(settings.layers(len(self.classes)), self.input_shape, len(self.classes), self.backend)
        weights = {name: array for name, array in saved.arrays.items() if name.startswith(PARAMETERS)}
        views = {f"{PARAMETERS}{name}": view for name, view in self.network.views(self.network.theta).items()}
        checkpoint.check(replace(saved, arrays=weights), views)
        for name, view in views.items():
            view[...] = self.backend.array(weights[name])
        self.loss.bind(self.backend)
        self._workspace = Workspace(self.backend)
        self._lock = Lock()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """One image's (channels, height, width)."""
        channels, height, width = self.description.input_shape
        return channels, height, width

    @property
    def framing(self) -> Framing:
        """How the training images were made; of a checkpoint that does not say so, as its data's name tells."""
        if self.description.framing:
            return self.description.framing
        source = self.description.config.get("data")
        is_mnist = isinstance(source, dict) and source.get("_target_") in MNIST and self.input_shape == MNIST_SHAPE
        return Framing(like_mnist=is_mnist, background="dark" if is_mnist else None)

    def logits(self, images: Images) -> Floats:
        """Return what the network puts out, `(N, K)`, for images `(N, C, H, W)` uint8, their pixels as they are.

        Raises `UserError` for images of another kind or shape.
        """
        return self._outputs(images)[0]

    def probabilities(self, images: Images) -> Floats:
        """Return what the network's loss makes of `logits`, `(N, K)`: the probability of each class."""
        return self._outputs(images)[1]

    def predict(self, images: Images) -> list[Prediction]:
        """Return what each of the images `(N, C, H, W)` uint8 shows, by the largest outputs, the first on a tie."""
        logits, probabilities = self._outputs(images)
        found = []
        for outputs, shares in zip(logits, probabilities, strict=True):
            first, second = np.argsort(-outputs, kind="stable")[:2]
            found.append(Prediction(self.classes[first], float(shares[first]), self.classes[second]))
        return found

    def _outputs(self, images: Images) -> tuple[Floats, Floats]:
        self._check(images)
        outputs = np.empty((2, len(images), len(self.classes)), self.backend.dtype)
        # Infinities are seen in what comes out.
        with self._lock, self.backend.limit_blas(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for piece, logits in self._pieces(images):
                self.loss.forward(logits, self.backend.zeros(PIECE, np.intp))
                for out, computed in zip(outputs, (logits, self.loss.probabilities), strict=True):
                    out[piece] = self.backend.to_host(computed)[: len(out[piece])]
        if not np.isfinite(outputs).all():
            raise Failure(f"checkpoint {self.saved.path}: for some images the network's outputs are not finite.")
        logits, probabilities = outputs
        return logits, probabilities

    def _pieces(self, images: Images) -> Iterator[tuple[slice, Array]]:
        if not len(images):
            return
        labels = np.zeros(len(images), np.intp)
        table = ImageTable(images, labels, self.description.scaling.shift, self.description.scaling.scale, self.backend)
        for start in range(0, len(images), PIECE):
            indices = self.backend.array(np.minimum(np.arange(start, start + PIECE), len(images) - 1))
            batch, _ = table.batch(indices, self._workspace)
            yield slice(start, start + PIECE), self.network.forward(batch)

    def _check(self, images: object) -> None:
        found = type(images).__name__
        if isinstance(images, np.ndarray):
            if images.dtype == np.uint8 and images.shape[1:] == self.input_shape:
                return
            found = f"{images.dtype}{list(images.shape)}"
        raise UserError(f"images: found {found}; accepted: uint8 [N, {', '.join(map(str, self.input_shape))}].")


def describe(saved: Checkpoint) -> Description:
    """Return what a checkpoint says of its network; raise `UserError` where that cannot be."""
    with reading(saved):
        found = Description.model_validate(dict(saved.meta))
    if len(set(found.classes)) != len(found.classes):
        raise UserError(f"checkpoint {saved.path}: `meta` cannot be used: two of its classes have one name.")
    return found


def checkpoint_of(stored: Stored, which: Which | None = None) -> tuple[Which, Checkpoint]:
    """Return a run's checkpoint and which it is: the one asked for, else the best where there is one, else the last.

    Raises `UserError` where the run has none.
    """
    order: Sequence[Which] = (which,) if which else get_args(Which)
    for name in order:
        if saved := stored.checkpoint(name):
            return name, saved
    record = stored.record
    raise UserError(
        f"run `{record.name}` ({record.id}) has no checkpoints/{' or '.join(f'{name}.npz' for name in order)}: "
        "its weights were not kept (trainer.checkpoints), or not yet."
    )
