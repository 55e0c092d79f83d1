"""Which launchers reach beyond this machine, and whether what they need is there."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lenet.configuration.extras import require
from lenet.configuration.hydra_setup import offer_plugins


@dataclass(frozen=True)
class Kind:
    """A way to give out jobs: its name, its module here and the class in it, the extra it needs, the plugin in that."""

    name: str
    module: str
    launcher: str
    extra: str
    plugin: str


PLUGIN = "hydra_submitit_launcher"
RAY = Kind("ray", "lenet.sweeps.clusters.on_ray", "RayLauncher", "ray", "hydra_ray_launcher")
LOCAL = Kind("submitit_local", "lenet.sweeps.clusters.on_submitit", "LocalLauncher", "slurm", PLUGIN)
SLURM = Kind("submitit_slurm", "lenet.sweeps.clusters.on_submitit", "SlurmLauncher", "slurm", PLUGIN)

KINDS = {
    "hydra_plugins.lenet.RayLauncher": RAY,
    "hydra_plugins.lenet.SubmititLocalLauncher": LOCAL,
    "hydra_plugins.lenet.SubmititSlurmLauncher": SLURM,
}
"""By what the configuration calls them (`_target_`): Hydra takes plugins from the package `hydra_plugins` alone."""


@contextmanager
def ready(node: Mapping[str, Any]) -> Iterator[None]:
    """Ready the launcher of `node`, which is `hydra.launcher`, for a sweep; a connection is closed on leaving.

    Does nothing for the launchers of this machine. Raises `UserError` where the extra is not installed, a setting is
    wrong, or no cluster answers.
    """
    target = str(node.get("_target_"))
    if target not in KINDS:
        yield
        return
    kind = KINDS[target]
    require(kind.plugin, kind.extra, f"hydra/launcher={kind.name}", "hydra/launcher=parallel, hydra/launcher=basic")
    launcher = getattr(importlib.import_module(kind.module), kind.launcher)
    offer_plugins({target: launcher})
    with launcher.opened({key: value for key, value in node.items() if key != "_target_"}):
        yield
