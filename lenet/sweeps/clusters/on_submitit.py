"""`hydra/launcher=submitit_slurm`: jobs in the queue of a Slurm cluster; `submitit_local`: the same way, but here."""

import dataclasses
import logging
import os
import shutil
import signal
import subprocess
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar, Literal

import psutil
import submitit
from hydra.core.singleton import Singleton
from hydra_plugins.hydra_submitit_launcher import submitit_launcher as plugin
from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

from lenet.common.signals import held_back
from lenet.common.validation import PositiveInt, validated
from lenet.configuration.construct import call
from lenet.errors import UserError
from lenet.sweeps.clusters.launcher import ClusterLauncher, Jobs, in_short, result_of
from lenet.sweeps.jobs import SweepTask
from lenet.sweeps.launcher import Numbered, Result
from lenet.sweeps.worker import LOOK_SECONDS, Lost

log = logging.getLogger(__name__)

COMMON = {field.name for field in dataclasses.fields(BaseQueueConf)}
"""Settings that all of submitit's executors know; others belong to one of them, and carry its name for it."""
FIRST = "max_num_timeout", "python"
"""Settings that an executor takes when it is made."""
COMMANDS = "sbatch", "srun", "scancel", "sacct"


@validated
def _check(
    timeout_min: PositiveInt, submitit_folder: str, cpus_per_task: PositiveInt | None = None, **others: Any
) -> None:
    """Check the settings that most often are given."""


class SubmititLauncher(ClusterLauncher):
    """Gives the jobs to one of submitit's executors. They work in the folder that the sweep was started in."""

    executor: ClassVar[Literal["local", "slurm"]]
    plugin: ClassVar[Any]

    @abstractmethod
    def jobs(self, submitted: dict[int, Any]) -> Jobs:
        """Return what watches over the jobs that submitit has made."""

    @staticmethod
    def undisturbed() -> AbstractContextManager[None]:
        """Return what jobs are submitted in."""
        return nullcontext()

    def submit(self, jobs: Sequence[Numbered]) -> Jobs:
        task = SweepTask(self.task.earlier, cores=self.settings.get("cpus_per_task"))
        theirs = self.plugin(**self.settings)
        theirs.setup(hydra_context=self.hydra_context, task_function=task, config=self.config)
        state = Singleton.get_state()
        arguments = [(job, "hydra.sweep.dir", number, str(number), state) for number, job in jobs]
        executor = self._executor(theirs.params)
        with self.undisturbed():
            submitted = executor.map_array(theirs, *zip(*arguments, strict=True))
        return self.jobs(dict(zip((number for number, _ in jobs), submitted, strict=True)))

    def _executor(self, params: Mapping[str, Any]) -> Any:
        given = {key: value for key, value in params.items() if value is not None}
        folder = given.pop("submitit_folder")
        first = {f"{self.executor}_{key}": given.pop(key) for key in FIRST if key in given}
        executor = submitit.AutoExecutor(folder=folder, cluster=self.executor, **first)
        executor.update_parameters(
            **{key if key in COMMON else f"{self.executor}_{key}": value for key, value in given.items()}
        )
        return executor


class SubmititJobs:
    """Submitit's jobs by their numbers in the sweep, and when those that left no result were seen to have ended.

    `patience` is how many seconds a result may take to appear once its job has ended: disks of a network are slow.
    """

    def __init__(self, jobs: dict[int, Any], patience: float) -> None:
        self._waiting = jobs
        self._patience = patience
        self._ended: dict[int, float] = {}

    def look(self) -> dict[int, Result]:
        time.sleep(LOOK_SECONDS)
        found = {number: result for number, job in self._waiting.items() if (result := self._result(number, job))}
        for number in found:
            del self._waiting[number]
        return found

    def stop(self) -> None:
        self._patience = 0.0  # nobody waits for a result any more

    def _result(self, number: int, job: Any) -> Result | None:
        if not job.done():
            return None
        if job.paths.result_pickle.exists():
            try:
                return result_of(job.results()[0])
            except Exception as error:  # the job has raised
                return Lost(in_short(error))
        ended = self._ended.setdefault(number, time.monotonic())
        if time.monotonic() - ended < self._patience:
            return None
        return Lost(f"its process ended without a result (state {job.state}); what it wrote is in {job.paths.folder}")


class LocalLauncher(SubmititLauncher):
    """On this machine, all jobs at once: to try what Slurm would be given."""

    executor = "local"
    plugin = plugin.LocalLauncher

    @staticmethod
    @contextmanager
    def opened(settings: Mapping[str, Any]) -> Iterator[None]:
        """Check the settings."""
        call(_check, settings, "hydra.launcher")
        yield

    @staticmethod
    def undisturbed() -> AbstractContextManager[None]:
        """A Ctrl-C at the terminal is the sweep's alone."""
        return held_back(signal.SIGINT)

    def jobs(self, submitted: dict[int, Any]) -> "LocalJobs":
        return LocalJobs(submitted, patience=1.0)


class LocalJobs(SubmititJobs):
    """Jobs whose ids are those of processes here, each with the job's own process below it."""

    def stop(self) -> None:
        super().stop()
        for job in self._waiting.values():
            os.kill(int(job.job_id), signal.SIGTERM)  # submitit's own way leaves them a second

    def kill(self) -> None:
        for job in self._waiting.values():
            if not job.done():
                process = psutil.Process(int(job.job_id))
                for one in (*process.children(recursive=True), process):
                    one.kill()


class SlurmJobs(SubmititJobs):
    """Jobs in a queue. Submitit asks Slurm for their states less and less often, up to every ten minutes."""

    _asked_to_stop = False

    def look(self) -> dict[int, Result]:
        if self._asked_to_stop and self._waiting:
            next(iter(self._waiting.values())).watcher.update()
            time.sleep(1.0)
        return super().look()

    def stop(self) -> None:
        super().stop()
        self._asked_to_stop = True
        for job in self._waiting.values():
            job.cancel(check=False)

    def kill(self) -> None:
        """Slurm does so by itself, half a minute after it was asked to cancel a job."""


class SlurmLauncher(SubmititLauncher):
    """In the queue of the Slurm cluster that this machine can submit to; the folder must be there on its nodes."""

    executor = "slurm"
    plugin = plugin.SlurmLauncher

    @staticmethod
    @contextmanager
    def opened(settings: Mapping[str, Any]) -> Iterator[None]:
        """Check the settings, and that Slurm is there."""
        call(_check, settings, "hydra.launcher")
        if missing := [command for command in COMMANDS if shutil.which(command) is None]:
            raise UserError(
                f"hydra/launcher=submitit_slurm needs Slurm's commands, and this machine lacks {', '.join(missing)}. "
                "Accepted here: hydra/launcher=submitit_local, which runs the jobs the same way on this machine."
            )
        if subprocess.run(["sacct"], capture_output=True, check=False).returncode:
            log.warning("`sacct` fails on this cluster: a job that is killed will not be noticed, and waited for.")
        yield

    def jobs(self, submitted: dict[int, Any]) -> SlurmJobs:
        return SlurmJobs(submitted, patience=15.0)
