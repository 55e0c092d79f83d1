"""A plan made real: its data on the device, its network with weights drawn, ready to train."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lenet.backend import Backend
from lenet.build import Plan
from lenet.data import Dataset, scaling, split_classes
from lenet.data.loader import ImageTable
from lenet.data.samplers import Sampler
from lenet.network import Network
from lenet.random import stream
from lenet.training.engine import Engine
from lenet.training.trainer import Record

REPORT_IMAGES = 64
"""Test images that `data.validation=report` draws after each epoch, with replacement."""


@dataclass(frozen=True)
class Session:
    """What a run computes with. `shift` and `scale` bring pixels to the network's input: `(pixel - shift) / scale`."""

    backend: Backend
    dataset: Dataset
    shift: float
    scale: float
    network: Network
    tables: dict[str, ImageTable]
    """`train`, `test`, and `validation` unless `report` draws from the test set instead."""

    @property
    def validation_size(self) -> int:
        """How many images an epoch's validation looks at."""
        return len(self.tables["validation"]) if "validation" in self.tables else REPORT_IMAGES

    def steps_per_epoch(self, sampler: Sampler) -> int:
        """Return the number of steps that `sampler` makes of the training images."""
        return math.ceil(sampler.samples(len(self.tables["train"])) / sampler.batch)

    def validator(self, engine: Engine, seed: int) -> Callable[[int], Record]:
        """Return what scores the network after an epoch."""
        return partial(self._validate, engine, seed)

    def _validate(self, engine: Engine, seed: int, epoch: int) -> Record:
        if "validation" in self.tables:
            return engine.score("validation").summary("val")
        drawn = stream(seed, "report", epoch).integers(len(self.tables["test"]), size=REPORT_IMAGES)
        return engine.score("test", self.backend.array(drawn)).summary("val")


def open_session(plan: Plan, check: Callable[[], None] = lambda: None) -> Session:
    """Get hold of the hardware and the data, and fit the network to them; `check` may raise to stop in between.

    Raises `UserError` where one of them cannot be had or they do not fit each other.
    """
    backend = plan.backend.open()
    dataset = plan.data.load(plan.seed)
    check()
    images, labels = dataset.train_images, dataset.train_labels
    parts = {"train": (images, labels), "test": (dataset.test_images, dataset.test_labels)}
    if plan.data.validation != "report":
        kept, held_out = split_classes(labels, plan.data.validation, stream(plan.seed, "split"))
        parts |= {"train": (images[kept], labels[kept]), "validation": (images[held_out], labels[held_out])}
    shift, scale = scaling(plan.data.scaling, parts["train"][0])
    classes = len(dataset.classes)
    network = Network(plan.network.layers(classes), images.shape[1:], classes, backend)
    network.initialize(plan.network.initializer, stream(plan.seed, "init"))
    return Session(
        backend=backend,
        dataset=dataset,
        shift=shift,
        scale=scale,
        network=network,
        tables={name: ImageTable(*part, shift, scale, backend) for name, part in parts.items()},
    )
