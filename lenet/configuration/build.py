"""From a composed configuration to checked parts: the only place that knows the keys and what they make.

`build` constructs everything that needs neither data nor hardware, so every name, type and range is checked before
anything is done. What is wrong ends in one `UserError` that names the key, what was found and what is accepted.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from lenet.arrays.backend import BackendSettings
from lenet.callbacks import Callback
from lenet.common.validation import NonNegativeInt, matching, validated
from lenet.configuration import trust
from lenet.configuration.construct import call, make
from lenet.configuration.hooks import callbacks
from lenet.data import Augmentation, DataSource
from lenet.errors import UserError, did_you_mean
from lenet.initializers import Initializer
from lenet.layers import Layer
from lenet.losses import Loss
from lenet.optimizers import Optimizer
from lenet.schedules import Schedule
from lenet.tracking.address import masked, tracking_uri
from lenet.training.settings import TrainerSettings

KEYS = (
    "seed",
    "network",
    "loss",
    "optimizer",
    "schedule",
    "data",
    "augmentation",
    "trainer",
    "backend",
    "tracking",
    "callbacks",
    "sweep",
)
"""What a configuration has at the top."""
ABSENT: Mapping[str, Any] = {
    "loss": {"_target_": "lenet.losses.CrossEntropy"},
    "augmentation": {},
    "callbacks": {},
    "sweep": {},
}
"""What stands for a key that a stored configuration may lack: it is younger than the run, or never stored."""
PLACES = re.compile(r"(loss|optimizer|schedule|data|network\.layers\[\d+\]|callbacks\.\w+)\._target_")
"""Where a configuration names a class."""


ModelName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9_. -]{0,99}",
        "up to 100 letters (a to z), digits, spaces, dots, _ and -, of which the first is a letter or digit",
    ),
]


class TrackingSettings:
    """Where runs are recorded: the store's address (given None: found as MLflow finds it) and the experiment's name."""

    @validated
    def __init__(self, uri: str | None, experiment: Annotated[str, Field(min_length=1)]) -> None:
        self.uri = tracking_uri(uri)
        self.experiment = experiment


class SweepSettings:
    """Where a run stands in a sweep: its parent run and the keys that differ between the jobs.

    For a sweep as a whole, `resume` names the one that is to be continued, and `register` says under which name the
    best run's model is to be registered.
    """

    @validated
    def __init__(
        self,
        parent: str | None = None,
        keys: tuple[str, ...] = (),
        resume: str | None = None,
        register: ModelName | None = None,
    ) -> None:
        self.parent = parent
        self.keys = keys
        self.resume = resume
        self.register = register


class NetworkSettings:
    """A network before its shapes are known. All but `layers` and `initializer` serve the layers by interpolation.

    `allowed` is no key of the configuration but says where layers may come from, as for `build`.
    """

    @validated
    def __init__(
        self,
        allowed: Collection[str] | None,
        /,
        layers: Annotated[list[dict[str, Any]], Field(min_length=1)],
        initializer: Initializer = "he_normal",
        activation: Literal["relu", "tanh", "sigmoid", "scaled_tanh"] | None = None,
        pooling: Literal["avg", "max"] | None = None,
        **interpolated: Any,
    ) -> None:
        self.allowed = allowed
        self.specifications = layers
        self.initializer = initializer
        self.layers(classes=2)  # names, types and ranges of every layer are checked here

    def layers(self, classes: int) -> list[Layer]:
        """Return fresh layers; an argument that says `classes` becomes the data's number of classes."""
        layers = []
        for index, specification in enumerate(self.specifications):
            arguments = {key: classes if value == "classes" else value for key, value in specification.items()}
            name = str(arguments.pop("name", ""))  # any layer can be named, whatever its constructor takes
            layers.append(make(arguments, f"network.layers[{index}]", Layer, self.allowed))
            layers[-1].name = name
        return layers


SETTINGS: Mapping[str, type] = {
    "network": NetworkSettings,
    "augmentation": Augmentation,
    "trainer": TrainerSettings,
    "backend": BackendSettings,
}
"""What holds the values below a key at the top to their types, where the configuration does not name a class."""


@validated
def _seed(seed: NonNegativeInt) -> int:
    return seed


@dataclass(frozen=True)
class Plan:
    """A run, checked and ready to start.

    `config` is the configuration it was built from as it is recorded: users and passwords in addresses are masked.
    """

    seed: int
    network: NetworkSettings
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    data: DataSource
    augmentation: Augmentation
    trainer: TrainerSettings
    backend: BackendSettings
    tracking: TrackingSettings
    callbacks: Mapping[str, Callback]
    sweep: SweepSettings
    config: Mapping[str, Any]


def build(config: Mapping[str, Any], allowed: Collection[str] | None = None) -> Plan:
    """Return the plan of a run from a composed, resolved configuration; raise `UserError` if any of it is wrong.

    Without `allowed` the configuration is the user's own, and may name any class. A collection of modules, empty or
    not, says that it comes from a store (a run, a checkpoint, a file of others): then it may name only classes that
    lenet or these modules define, nothing else is imported, and it may hold nothing but plain, resolved values.
    """
    if allowed is not None:
        trust.vet(config, "the stored configuration", PLACES)
    for key in config:
        if key not in KEYS:
            raise UserError(f"Unknown key `{key}`.{did_you_mean(key, KEYS)} Accepted at the top: {', '.join(KEYS)}.")
    whole = {**ABSENT, **config}
    for key in KEYS:
        if whole.get(key) is None:
            raise UserError(f"`{key}` is missing from the configuration; `--help` lists what it may be.")
    return Plan(
        seed=call(_seed, {"seed": whole["seed"]}, ""),
        network=call(partial(NetworkSettings, allowed), whole["network"], "network"),
        loss=make(whole["loss"], "loss", Loss, allowed),
        optimizer=make(whole["optimizer"], "optimizer", Optimizer, allowed),
        schedule=make(whole["schedule"], "schedule", Schedule, allowed),
        data=make(whole["data"], "data", DataSource, allowed),
        augmentation=call(Augmentation, whole["augmentation"], "augmentation"),
        trainer=call(TrainerSettings, whole["trainer"], "trainer"),
        backend=call(BackendSettings, whole["backend"], "backend"),
        tracking=call(TrackingSettings, whole["tracking"], "tracking"),
        callbacks=callbacks(whole["callbacks"], allowed),
        sweep=call(SweepSettings, whole["sweep"], "sweep"),
        config=masked({key: value for key, value in config.items() if _is_recorded(key, value)}),
    )


def build_network(config: object, source: str, allowed: Collection[str]) -> tuple[NetworkSettings, Loss, Any]:
    """Return a stored configuration's network, its loss and its floating-point type; raises as `build` does.

    That is what it takes to use a network that has been trained: where its data were is not asked. `source` is what
    a message calls the configuration.
    """
    trust.vet(config, source, PLACES)
    assert isinstance(config, Mapping)
    whole = {**ABSENT, **config}
    for key in ("network", "backend"):
        if not isinstance(whole.get(key), Mapping):
            raise UserError(f"{source}: `{key}` is missing; accepted: what a run stores.")
    network = call(partial(NetworkSettings, allowed), whole["network"], "network")
    backend = call(BackendSettings, whole["backend"], "backend")
    return network, make(whole["loss"], "loss", Loss, allowed), backend.dtype


def _is_recorded(key: str, value: Any) -> bool:
    """Say whether a key at the top is part of what a run is; having no callbacks is not worth a parameter."""
    return key != "sweep" and not (key == "callbacks" and not value)
