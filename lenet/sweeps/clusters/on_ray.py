"""`hydra/launcher=ray`: jobs on a Ray cluster."""

import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from hydra.core.singleton import Singleton
from hydra_plugins.hydra_ray_launcher._launcher_util import launch_job_on_ray
from omegaconf import DictConfig, OmegaConf, open_dict

from lenet.common.signals import STOPPING
from lenet.common.validation import PositiveInt, validated
from lenet.configuration.construct import call
from lenet.errors import UserError
from lenet.sweeps.clusters.launcher import ClusterLauncher, in_short, result_of
from lenet.sweeps.jobs import Outcome, SweepTask
from lenet.sweeps.launcher import Numbered, Result
from lenet.sweeps.worker import LOOK_SECONDS, Lost
from lenet.tracking.address import tracking_uri
from lenet.tracking.record import RunRecord

KNOCK_SECONDS = 5.0
ENVIRONMENT = "MLFLOW_", "LENET_", "AWS_"
"""How the names of environment variables begin that a job takes from the sweep's process: Ray passes none on."""


class RaySettings:
    """Where the cluster is, and what a job gets of it. What is not named here goes to Ray as it is."""

    @validated
    def __init__(self, init: dict[str, Any], remote: dict[str, Any]) -> None:
        self.address = str(init.get("address") or "local")
        self.init = {
            "log_to_driver": False,
            "logging_level": "error",
            **({"include_dashboard": False} if self.address == "local" else {}),
            **init,
            "address": self.address,
        }
        self.remote = remote
        self.cores = call(_cores, {"num_cpus": remote.get("num_cpus", 1)}, "hydra.launcher.ray.remote")


@validated
def _cores(num_cpus: PositiveInt) -> int:
    return num_cpus


@dataclass(frozen=True)
class RemoteTask:
    """What is done for a job on a node: it works in the folder of the same path as the sweep, with its settings."""

    folder: str
    environment: Mapping[str, str]
    earlier: Sequence[RunRecord]
    cores: int

    def __call__(self, config: DictConfig) -> Outcome:
        """Run the job that Hydra has composed."""
        os.chdir(self.folder)
        os.environ.update(self.environment)
        return SweepTask(self.earlier, cores=self.cores)(config)


class RayLauncher(ClusterLauncher):
    """Gives each job to Ray as a task, which a node takes up that has as many cores free as it asks for."""

    @staticmethod
    @contextmanager
    def opened(settings: Mapping[str, Any]) -> Iterator[None]:
        """Connect to the cluster, or start one on this machine; end the connection, or that cluster, on leaving."""
        wanted = call(RaySettings, settings["ray"] or {}, "hydra.launcher.ray")
        _knock(wanted.address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        handlers = {number: signal.getsignal(number) for number in STOPPING}
        try:
            ray.init(**wanted.init)
        except (Exception, SystemExit) as error:
            raise UserError(
                f"hydra.launcher.ray.init: Ray cannot be had at `{wanted.address}`: {in_short(error)}. A cluster must "
                "run the same versions of Ray and Python; one that asks for a token needs RAY_AUTH_MODE=token here too."
            ) from None
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)  # Ray has put its own in their place
        try:
            yield
        finally:
            ray.shutdown()

    def submit(self, jobs: Sequence[Numbered]) -> "RayJobs":
        """Compose the jobs here, so that a node needs no configuration files, and give them out."""
        node: Any = OmegaConf.to_container(self.settings["ray"], resolve=True)
        settings = call(RaySettings, node, "hydra.launcher.ray")
        environment = {key: value for key, value in os.environ.items() if key.startswith(ENVIRONMENT)}
        environment["MLFLOW_TRACKING_URI"] = tracking_uri(self.config.tracking.uri)
        task = RemoteTask(os.getcwd(), environment, self.task.earlier, settings.cores)
        references = {}
        for number, overrides in jobs:
            config = self.hydra_context.config_loader.load_sweep_config(self.config, overrides)
            with open_dict(config):
                config.hydra.job.id, config.hydra.job.num = str(number), number
                config.hydra.sweep.dir = str(Path(str(config.hydra.sweep.dir)).absolute())
            reference = launch_job_on_ray(
                self.hydra_context, OmegaConf.create(settings.remote), config, task, Singleton.get_state()
            )
            references[reference] = number
        return RayJobs(references)


class RayJobs:
    """Ray's references to the results of jobs, with the jobs' numbers."""

    def __init__(self, references: dict[Any, int]) -> None:
        self._waiting = references

    def look(self) -> dict[int, Result]:
        waiting = list(self._waiting)
        if not waiting:
            return {}
        ended, _ = ray.wait(waiting, num_returns=len(waiting), timeout=LOOK_SECONDS)
        return {self._waiting.pop(reference): _result(reference) for reference in ended}

    def stop(self) -> None:
        for reference in self._waiting:
            ray.cancel(reference)

    def kill(self) -> None:
        for reference in self._waiting:
            ray.cancel(reference, force=True)


def _result(reference: Any) -> Result:
    try:
        return result_of(ray.get(reference))
    except Exception as error:  # its node or its worker has gone, or it raised
        return Lost(in_short(error))


def _knock(address: str) -> None:
    """See whether anything listens at an address: Ray would try for minutes, and speak of it in its own way."""
    if address in ("local", "auto"):
        return
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    try:
        if not separator or not host:
            raise ValueError("no HOST:PORT")
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(
            f"hydra.launcher.ray.init.address is `{address}`, where no Ray cluster answers ({error}). Accepted: "
            "HOST:PORT of a running cluster (`ray start --head` says it), ray://HOST:10001 from outside the cluster, "
            "auto (the cluster that this machine is a node of), or local (one of its own on this machine)."
        ) from None
