"""`hydra/launcher=parallel`: Hydra's jobs on a pool of processes of this machine.

Hydra's own launcher takes one job after the other, and that on joblib loses all that have not finished when one
process is killed.
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from lenet.common.validation import PositiveInt, validated
from lenet.sweeps.jobs import Conductor, Event, Outcome, SweepTask, log_to
from lenet.sweeps.worker import Lost, Say

TARGET = "hydra_plugins.lenet.ParallelLauncher"
"""What the configuration calls it: Hydra takes plugins from the package `hydra_plugins` alone."""


class ParallelSettings:
    """How many processes, and how they start; given None, as many as the machine bears, as it starts them best."""

    @validated
    def __init__(self, workers: PositiveInt | None = None, start: Literal["fork", "spawn"] | None = None) -> None:
        self.workers = workers
        self.start = start


Numbered = tuple[int, list[str]]
"""A job's number in the sweep, and its overrides."""
Result = Outcome | Lost


class SweepLauncher(Launcher):
    """What our launchers share: none of the jobs raises, and what came of each is told to the sweep's conductor."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def run(self, jobs: Sequence[Numbered], conductor: Conductor) -> Sequence[Result]:
        """Run the jobs and return what came of each, in their order."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        assert isinstance(task_function, SweepTask)
        self.task = task_function
        self.config = config
        self.hydra_context = hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs, as Hydra asks a launcher to."""
        assert self.task.conductor is not None
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        jobs = [(initial_job_idx + number, list(job)) for number, job in enumerate(job_overrides)]
        results = self.run(jobs, self.task.conductor)
        outcomes = [Outcome(error=r.reason) if isinstance(r, Lost) else r for r in results]
        return [JobReturn(status=JobStatus.COMPLETED, _return_value=outcome) for outcome in outcomes]


class ParallelLauncher(SweepLauncher):
    """Gives each job to a free process of the sweep's pool. Its settings are the pool's, which the sweep has made."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.work = HydraJob(hydra_context, config, self.task)

    def run(self, jobs: Sequence[Numbered], conductor: Conductor) -> Sequence[Result]:
        """Run the jobs on the pool."""

        def hear(index: int, message: Event | Lost) -> None:
            if isinstance(message, Lost):
                conductor.lose(jobs[index][0], message.reason)
            else:
                conductor.hear(jobs[index][0], message)

        return conductor.pool.run(self.work, jobs, hear, conductor.check)


class HydraJob:
    """What a worker does with a job: what Hydra's own launcher does. A spawned worker gets Hydra's state with it."""

    def __init__(self, hydra_context: HydraContext, config: DictConfig, task: SweepTask) -> None:
        self.hydra_context = hydra_context
        self.config = config
        self.earlier = task.earlier
        self.task: SweepTask | None = None

    def __call__(self, job: tuple[int, list[str]], say: Say) -> Outcome:
        """Compose the job of this number with these overrides, and run it."""
        number, overrides = job
        self.task = self.task or SweepTask(self.earlier, report=say)
        config = self.hydra_context.config_loader.load_sweep_config(self.config, overrides)
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(number), number
        with log_to(say):
            done = run_job(
                task_function=self.task,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
                hydra_context=self.hydra_context,
            )
        outcome: Outcome = done.return_value
        return outcome

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "hydra": Singleton.get_state()["instances"]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Singleton._instances = state.pop("hydra")
        setup_globals()
        vars(self).update(state)
