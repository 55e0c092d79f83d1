"""What happens for each job of a sweep, wherever Hydra's launcher has it happen, and what comes of it."""

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lenet.common.tables import cut
from lenet.configuration.build import Plan, build
from lenet.configuration.composition import to_dict
from lenet.errors import Failure, UserError
from lenet.recorded.identity import CODE, CONFIG, DATA, code_digest, config_digest
from lenet.reports.comparison import short_names
from lenet.reports.summary import RANKING
from lenet.running.experiment import execute
from lenet.running.progress import JobProgress
from lenet.running.recording import RunFailed
from lenet.running.workbench import Workbench
from lenet.sweeps.pool import Pool
from lenet.tracking.tags import JOB, SWEPT

if TYPE_CHECKING:
    from lenet.tracking.record import RunRecord

log = logging.getLogger("lenet")


@dataclass(frozen=True)
class Said:
    """A line that a job logged, and its level."""

    level: int
    text: str


@dataclass(frozen=True)
class Outcome:
    """What came of a job: its final metrics, or why there are none; `counted` is the id of a run that stands for it.

    As a float it is what a search maximises: the best validation accuracy, and 0 for a run that diverged before it was
    validated; a job that failed has none and raises ValueError.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    counted: str | None = None

    def __float__(self) -> float:
        if self.error is not None:
            raise ValueError(self.error)
        value = self.metrics.get(RANKING, 0.0)
        return value if math.isfinite(value) else 0.0


Event = float | Said | Outcome
"""What is heard of a job: the share that is done, a line, its end."""


class Conductor(Protocol):
    """What stays in the sweep's own process while its jobs may run in others."""

    pool: Pool

    def hear(self, job: int, event: Event) -> None:
        """Take note of what a job says."""

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if the sweep was asked to stop."""

    def lose(self, job: int, reason: str) -> None:
        """Take note of a job whose process has ended before it."""


class SweepTask:
    """The function that Hydra calls for each job.

    A job of which one of the `earlier` runs of a resumed sweep has finished, with the same configuration, code and
    data, is not run again. `conductor` is there in the sweep's own process alone; elsewhere `report`, if given, hears
    how far a job is. Sent to another process, the task takes neither with it. `cores` is how many a job may use that
    does not say so itself (None: all that its process may).
    """

    def __init__(
        self,
        earlier: "Sequence[RunRecord]",
        conductor: Conductor | None = None,
        report: Callable[[float], None] | None = None,
        cores: int | None = None,
    ) -> None:
        self.earlier = earlier
        self.conductor = conductor
        self.report = report
        self.cores = cores
        self.bench = Workbench()

    def __reduce__(self) -> tuple[Any, ...]:
        return SweepTask, (self.earlier, None, None, self.cores)

    def __call__(self, config: DictConfig) -> Outcome:
        """Run a job in this process; its failure is recorded in its own run and goes no further."""
        conductor = self.conductor
        if conductor is None:
            return self._run(config, self.report or (lambda share: None))
        number = HydraConfig.get().job.num
        conductor.check()  # between jobs, where Hydra would not bear to be interrupted
        outcome = self._run(config, lambda share: conductor.hear(number, share))
        conductor.hear(number, outcome)
        conductor.check()
        return outcome

    def _run(self, config: DictConfig, report: Callable[[float], None]) -> Outcome:
        plan = build(to_dict(config))
        if self.cores:
            plan.backend.keep_to(self.cores)
        digest = config_digest(plan.config) if self.earlier else None
        for earlier in self.earlier:
            if earlier.tags.get(CONFIG) == digest and _counts(earlier, plan, self.bench):
                log.info("%s: finished before", cut(earlier.name, 60))
                return Outcome(earlier.metrics, counted=earlier.id)
        return execute_job(plan, self.bench, report)


def _counts(earlier: "RunRecord", plan: Plan, bench: Workbench) -> bool:
    """Say whether a run of the plan's configuration has finished, with the code and on the data of today."""
    if earlier.status != "FINISHED" or earlier.tags.get(CODE) != code_digest(plan.config):
        return False
    try:
        return earlier.tags.get(DATA) == bench.dataset(plan).digest
    except UserError:
        return False  # the run itself says so


def execute_job(plan: Plan, bench: Workbench, report: Callable[[float], None]) -> Outcome:
    """Run the job that Hydra has composed; `report` hears of the share that is done."""
    overrides = [text for text in HydraConfig.get().overrides.task if not text.startswith("sweep.")]
    swept = swept_values(overrides, plan.sweep.keys)
    name, tags = job_name(swept), {SWEPT: json.dumps(swept), JOB: str(HydraConfig.get().job.num)}
    try:
        _, metrics = execute(plan, overrides, name, tags, bench, lambda _, *size: JobProgress(report, *size))
        return Outcome(metrics)
    except RunFailed as failure:  # said and recorded
        return Outcome(error=str(failure))
    except (UserError, Failure) as error:
        log.error("job %s failed before it could be recorded: %s", name, error)
        return Outcome(error=str(error))
    except Exception as error:
        log.exception("job %s failed before it could be recorded", name)
        return Outcome(error=f"{type(error).__name__}: {error}")


def swept_values(overrides: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    """Return what a job's overrides say of the keys that differ between the jobs."""
    values = {key.lstrip("+"): value for key, _, value in (text.partition("=") for text in overrides)}
    return {key: values[key] for key in keys}


def job_name(swept: Mapping[str, str]) -> str | None:
    """Name a job by what differs: `lr=0.005`; with the key in full where its last word is not enough.

    Of a number with many digits, as a search draws them, four are enough for a name.
    """
    parts = [f"{name}={_brief(swept[key])}" for key, name in short_names(list(swept)).items()]
    return ",".join(parts)[:250] or None


def _brief(value: str) -> str:
    try:
        return f"{float(value):.4g}" if len(value) > 10 else value
    except ValueError:
        return value


@contextmanager
def log_to(say: Callable[[Said], None]) -> Iterator[None]:
    """Pass what lenet logs, from INFO on, to `say` instead of to this process's output."""

    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(Said(record.levelno, self.format(record)))

    before, log.handlers = log.handlers, [Forward(logging.INFO)]
    try:
        yield
    finally:
        log.handlers = before
