"""What the launchers for clusters share: each job is watched on its own, so that one that is lost takes no other along.

The plugins' own launchers wait for the jobs in their order and raise at the first that is lost.
"""

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from hydra.core.utils import JobReturn

from lenet.reports.summary import RANKING
from lenet.sweeps.jobs import Conductor, Outcome, Said
from lenet.sweeps.launcher import Numbered, Result, SweepLauncher
from lenet.sweeps.worker import STOP_SECONDS, Lost

AGAIN_SECONDS = 10.0
"""After how long a job that was asked to stop, and may not have been listening yet, is asked again."""


class Jobs(Protocol):
    """Jobs that a cluster was given."""

    def look(self) -> Mapping[int, Result]:
        """Wait for a moment, and return what has come, since the last look, of jobs that have ended."""

    def stop(self) -> None:
        """Ask the jobs that have not ended to close their runs and end."""

    def kill(self) -> None:
        """End the jobs that are still there by force."""


class ClusterLauncher(SweepLauncher):
    """Has the jobs of a sweep run elsewhere; `submit` gives them out."""

    @staticmethod
    @abstractmethod
    def opened(settings: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Check the settings and connect to the cluster; raise `UserError` where one of them fails."""

    @abstractmethod
    def submit(self, jobs: Sequence[Numbered]) -> Jobs:
        """Give the jobs to the cluster."""

    def run(self, jobs: Sequence[Numbered], conductor: Conductor) -> Sequence[Result]:
        """Give the jobs out and wait for what comes of them."""
        names = dict(zip((number for number, _ in jobs), _differences([job for _, job in jobs]), strict=True))

        def tell(number: int, result: Result) -> None:
            if isinstance(result, Lost):
                conductor.lose(number, result.reason)
                return
            conductor.hear(number, _said(names[number], result))
            conductor.hear(number, result)

        try:
            submitted = self.submit(jobs)
        except Exception as error:  # whatever the cluster does not like about them
            lost = Lost(f"it could not be submitted: {in_short(error)}")
            for number, _ in jobs:
                tell(number, lost)
            return [lost] * len(jobs)
        results = gather(submitted, len(jobs), tell, conductor.check)
        return [result for _, result in sorted(results.items())]


def gather(jobs: Jobs, count: int, tell: Callable[[int, Result], None], check: Callable[[], None]) -> dict[int, Result]:
    """Wait for all jobs and return their results by number; `tell` hears each as it comes.

    `check` is called a few times a second and may raise to stop everything: the jobs are then asked to stop and waited
    for, and what has not ended after a minute, or when a signal interrupts this too, is killed.
    """
    results: dict[int, Result] = {}

    def look() -> None:
        for number, result in jobs.look().items():
            results[number] = result
            tell(number, result)

    try:
        while len(results) < count:
            look()
            check()
    except BaseException:
        deadline, due = time.monotonic() + STOP_SECONDS, 0.0
        try:
            while len(results) < count and time.monotonic() < deadline:
                if time.monotonic() >= due:
                    jobs.stop()
                    due = time.monotonic() + AGAIN_SECONDS
                look()
        finally:
            jobs.kill()
        raise
    return results


def result_of(done: JobReturn) -> Result:
    """Return what came of a job that has ended by itself."""
    value = done._return_value  # the property would write a traceback and raise
    return value if isinstance(value, Outcome) else Lost(in_short(value))


def in_short(error: object) -> str:
    """Return what an error says in one line: of a traceback, which clusters pass on as text, the last one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    traced = any("Traceback" in line for line in lines)
    text = (lines[-1] if traced else " ".join(lines)) if lines else ""
    if isinstance(error, BaseException) and not traced:
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= 400 else text[:400] + "…"


def _differences(jobs: Sequence[Sequence[str]]) -> list[str]:
    """Name each job by the overrides that not all have."""
    return [" ".join(text for text in job if not all(text in other for other in jobs)) or "the job" for job in jobs]


def _said(name: str, outcome: Outcome) -> Said:
    if outcome.error is not None:
        return Said(logging.ERROR, f"{name}: {outcome.error}")
    best = outcome.metrics.get(RANKING)
    return Said(logging.INFO, f"{name}: finished" + ("" if best is None else f", best val acc {best:.4f}"))
