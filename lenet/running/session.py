"""A plan made real: its data on the device, its network with weights drawn, ready to train."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenet.arrays.backend import Backend
from lenet.arrays.draws import Pass
from lenet.arrays.memory import Workspace
from lenet.arrays.shortage import memory_for_steps
from lenet.common.random import stream
from lenet.configuration.build import Plan
from lenet.data import Dataset, scaling, split_classes
from lenet.data.augmentation import Distortion
from lenet.data.dataset import Images
from lenet.data.loader import ImageTable
from lenet.network import Network
from lenet.running.workbench import Workbench
from lenet.training.engine import Engine
from lenet.training.trainer import Record, Trainer

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
    engine: Engine
    """Its tables: `train`, `test`, and `validation` unless `report` draws from the test set instead."""
    seed: int
    distortion: Distortion | None
    """How training images are distorted."""

    @property
    def validation_size(self) -> int:
        """How many images an epoch's validation looks at."""
        return len(self.engine.tables.get("validation", range(REPORT_IMAGES)))

    def validate(self, seed: int, epoch: int) -> Record:
        """Score the network after an epoch."""
        if "validation" in self.engine.tables:
            loss, accuracy = self.engine.measure("validation")
        else:
            drawn = stream(seed, "report", epoch).integers(len(self.engine.tables["test"]), size=REPORT_IMAGES)
            loss, accuracy = self.engine.measure("test", self.backend.array(drawn))
        return {"val/loss": loss, "val/accuracy": accuracy}

    def examples(self, count: int = 8, draws: int = 6) -> tuple[Images, npt.NDArray[np.floating[Any]]]:
        """Return so many training images `(n, C, H, W)`, and as often as `draws` says how a step would see them.

        The second is `(draws, n, C, H, W)`, in pixels; it needs a `distortion`.
        """
        assert self.distortion
        images = self.dataset.train_images[:count]
        pixels = self.backend.array(images.transpose(0, 2, 1, 3).reshape(len(images), -1))
        out = self.backend.zeros((pixels.shape[1], len(images)))
        seen = []
        for step in range(draws):
            self.distortion.apply(pixels, Pass(True, self.seed, step), out, Workspace(self.backend))
            rows = np.array(self.backend.to_host(out)).reshape(*np.array(images.shape)[[2, 1, 3, 0]])
            seen.append(rows.transpose(3, 1, 0, 2))
        return images, np.stack(seen)


@contextmanager
def open_session(plan: Plan, bench: Workbench) -> Iterator[Session]:
    """Get hold of the hardware and the data, fit the network to them, and start the engine; end it on leaving.

    Raises `UserError` where one of them cannot be had or they do not fit each other.
    """
    backend = plan.backend.open()
    dataset = bench.dataset(plan)
    images, labels = dataset.train_images, dataset.train_labels
    parts = {"train": (images, labels), "test": (dataset.test_images, dataset.test_labels)}
    if plan.data.validation != "report":
        kept, held_out = split_classes(labels, plan.data.validation, stream(plan.seed, "split"))
        parts |= {"train": (images[kept], labels[kept]), "validation": (images[held_out], labels[held_out])}
    shift, scale = scaling(plan.data.scaling, parts["train"][0])
    classes = len(dataset.classes)
    with memory_for_steps(backend, plan.trainer.sampler.batch):
        tables = {name: ImageTable(*part, shift, scale, backend) for name, part in parts.items()}
        network = Network(plan.network.layers(classes), images.shape[1:], classes, backend)
        network.initialize(plan.network.initializer, stream(plan.seed, "init"))
        distortion = Distortion(plan.augmentation, images.shape[1:], backend) if plan.augmentation.distorts else None
        engine = Engine(network, tables, plan.loss, backend, plan.seed, distortion)
    with engine:
        yield Session(backend, dataset, shift, scale, network, engine, plan.seed, distortion)


def trainer_of(plan: Plan, session: Session) -> Trainer:
    """Return a trainer that does what a plan says, from its start."""
    return Trainer(
        engine=session.engine,
        optimizer=plan.optimizer,
        schedule=plan.schedule,
        sampler=plan.trainer.sampler,
        epochs=plan.trainer.epochs,
        seed=plan.seed,
        validate=lambda epoch: session.validate(plan.seed, epoch),
    )
