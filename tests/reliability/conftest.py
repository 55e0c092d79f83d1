"""What the trials share: each says what was tried, how often and what happened; `--report FILE` makes a table of it.

`make reliability` writes the table to `docs/reliability.md`, with the names of trials that have failed, if any.
"""

import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tabulate import tabulate

from lenet.recorded import environment

INTRODUCTION = """\
# What was tried

`make reliability` tries all of this and writes this page. Each line is a test of `tests/reliability`, which
`make test-long` runs as well; a trial that goes wrong fails, and is named below the tables.
"""

SECTIONS = ("Interrupted", "Reproduced", "Loaded", "Faults", "Tracking server", "Many at once")

TRIAL = "trial"
rows: list[tuple[str, str, int, str]] = []
failed: list[str] = []

Report = Callable[[str, str, int, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--report", type=Path, help="write what was tried, and what happened, to this file")


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Return what takes down a trial once it has passed: its section, what was tried, how often, what happened."""

    def take_down(section: str, tried: str, times: int, happened: str) -> None:
        assert section in SECTIONS
        request.node.user_properties.append((TRIAL, (section, tried, times, happened)))

    return take_down


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather the trials, wherever they ran: pytest-xdist hands on what a test's properties hold."""
    if report.failed:
        failed.append(report.nodeid)
    if report.when == "teardown" and report.nodeid not in failed:
        rows.extend(tuple(trial) for name, trial in report.user_properties if name == TRIAL)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    target = session.config.getoption("--report", default=None)
    if target and rows and not hasattr(session.config, "workerinput"):  # pytest-xdist's processes know but their own
        target.write_text(page(), encoding="utf-8")


def page() -> str:
    commit = (environment.git_state()["commit"] or "unknown")[:10]
    cpu = environment.describe()["cpu"]
    where = f"{cpu['model']}, {cpu['usable_cores']} cores, Python {platform.python_version()}, NumPy {np.__version__}"
    parts = [INTRODUCTION, f"Last run on {where}, at commit {commit}."]
    for section in SECTIONS:
        found = sorted((tried, f"{times:,}", happened) for name, tried, times, happened in rows if name == section)
        if found:
            table = tabulate(found, ["what was tried", "times", "what happened"], "github", colalign=("left", "right"))
            parts.append(f"## {section}\n\n{table}")
    if failed:
        parts.append("## Failed\n\n" + "\n".join(f"- `{name}`" for name in failed))
    return "\n\n".join(parts) + "\n"
