"""A plan made real: its data on the device, its network with weights drawn, ready to train."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lenet.backend import Backend
from lenet.build import Plan
from lenet.data import Dataset, scaling, split_classes
from lenet.data.loader import ImageTable
from lenet.network import Network
from lenet.random import stream
from lenet.training.engine import Engine
from lenet.training.trainer import Record
from lenet.workbench import Workbench

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

    @property
    def validation_size(self) -> int:
        """How many images an epoch's validation looks at."""
        return len(self.engine.tables.get("validation", range(REPORT_IMAGES)))

    def validate(self, seed: int, epoch: int) -> Record:
        """Score the network after an epoch."""
        if "validation" in self.engine.tables:
            return self.engine.score("validation").summary("val")
        drawn = stream(seed, "report", epoch).integers(len(self.engine.tables["test"]), size=REPORT_IMAGES)
        return self.engine.score("test", self.backend.array(drawn)).summary("val")


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
    tables = {name: ImageTable(*part, shift, scale, backend) for name, part in parts.items()}
    classes = len(dataset.classes)
    network = Network(plan.network.layers(classes), images.shape[1:], classes, backend)
    network.initialize(plan.network.initializer, stream(plan.seed, "init"))
    with Engine(network, tables, plan.loss, backend, plan.seed) as engine:
        yield Session(backend, dataset, shift, scale, network, engine)
