"""What is gathered during a training for the figures that teach: kernels as they form, and the gradients' sizes.

It is part of a checkpoint, so that a run that was interrupted shows what one that never was does.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from lenet.checkpoint import Checkpoint
from lenet.checkpoint.meta import reading
from lenet.errors import UserError
from lenet.layers import Conv2d, Layer, TableConv2d
from lenet.training.trainer import Trainer

IMAGES = 256
"""Training images, the first, of which the gradient is measured."""

Epoch = Annotated[int, Field(ge=0)]
Kernels = list[list[list[list[FiniteFloat]]]]


class Observed(BaseModel):
    """By finished epochs, 0 for the start: the first convolution's kernels `(O, C, KH, KW)`, at the start and after
    1, 2, 4, 8, … epochs, and the root mean square of the gradient by each layer's weights.
    """

    model_config = ConfigDict(extra="forbid")

    kernels: dict[Epoch, Kernels] = {}
    gradients: dict[Epoch, dict[str, FiniteFloat]] = {}


class Observer:
    """Looks at a trainer between two epochs. It changes nothing that training depends on."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        convolutions = filter(has_kernels, trainer.network.layers)
        self._first = next((f"{layer.name}/weight" for layer in convolutions), None)
        self.observed = Observed()

    def look(self) -> None:
        """Take note of the state between two epochs; elsewhere, and a second time, do nothing."""
        trainer, epoch = self._trainer, self._trainer.progress.epoch
        if epoch in self.observed.gradients or trainer.progress.step != trainer.first_step(epoch):
            return
        if epoch & (epoch - 1) == 0:  # 0 or a power of two
            kernels = self.kernels()
            if kernels is not None:
                self.observed.kernels[epoch] = kernels.tolist()
        indices = trainer.backend.xp.arange(min(IMAGES, trainer.images))
        _, gradient = trainer.engine.gradient("train", indices, trainer.progress.step)
        views, specs = trainer.network.views(trainer.backend.to_host(gradient)), trainer.network.specs
        with np.errstate(over="ignore"):
            sizes = {
                name.rpartition("/")[0]: float(np.sqrt((views[name] ** 2).mean()))
                for name, spec in specs.items()
                if spec.fans is not None
            }
        self.observed.gradients[epoch] = {name: size for name, size in sizes.items() if np.isfinite(size)}

    @property
    def epoch(self) -> int:
        """How many epochs are finished."""
        return self._trainer.progress.epoch

    def kernels(self) -> npt.NDArray[np.floating[Any]] | None:
        """Return the first convolution's kernels of now, `(O, C, KH, KW)`, or None if there is no convolution."""
        network = self._trainer.network
        return network.backend.to_host(network.views(network.theta)[self._first]) if self._first else None

    def state(self) -> dict[str, Any]:
        """Return what is to stand in a checkpoint's `meta`."""
        return {"observed": self.observed.model_dump(mode="json")}

    def restore(self, saved: Checkpoint) -> None:
        """Go on from what a checkpoint says, where it says anything; raise `UserError` where that cannot be."""
        told = saved.meta.get("observed", {})
        with reading(saved, "observed"):
            observed = Observed.model_validate(told if isinstance(told, Mapping) else {"observed": told})
        now, layers = self.kernels(), {name.rpartition("/")[0] for name in self._trainer.network.specs}
        shapes = {_shape(kernels) for kernels in observed.kernels.values()}
        latest = max((*observed.kernels, *observed.gradients), default=0)
        named = {name for sizes in observed.gradients.values() for name in sizes}
        if not shapes <= {None if now is None else now.shape} or not named <= layers or latest > self.epoch:
            raise UserError(
                f"checkpoint {saved.path}: `meta.observed` does not fit this network, or knows of epochs to come; "
                "accepted: what the run itself has written."
            )
        self.observed = observed


def has_kernels(layer: Layer) -> bool:
    """Say whether a layer's weights are kernels `(O, C, KH, KW)`."""
    return isinstance(layer, Conv2d) and not isinstance(layer, TableConv2d)


def _shape(kernels: Kernels) -> tuple[int, ...]:
    """Return the shape of nested lists as an array, and none at all where they are ragged."""
    try:
        return np.shape(kernels)
    except ValueError:
        return ()
