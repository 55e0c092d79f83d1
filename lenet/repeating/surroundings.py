"""What a run ran on beside what this process runs on: what differs, and what would have to be installed."""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lenet.common.tables import cut, to_table
from lenet.configuration.build import Plan
from lenet.recorded.environment import PACKAGES
from lenet.recorded.identity import CODE, code_digest
from lenet.recorded.stored import Stored
from lenet.running.workbench import Workbench

log = logging.getLogger(__name__)

VERSION = re.compile(r"[0-9][0-9A-Za-z.!+_-]{0,40}")
"""What a package's version can be; a recorded one is not trusted to be one."""
UNKNOWN = "unknown"

Environment = Mapping[str, Any]


def differences(recorded: Environment, here: Environment) -> list[tuple[str, str, str]]:
    """Return what differs, as (what, then, now), of all that can change bits or how a run comes out."""
    then, now = dict(_told(recorded)), dict(_told(here))
    return [(what, then.get(what, UNKNOWN), now[what]) for what in now if then.get(what, UNKNOWN) != now[what]]


def say_surroundings(stored: Stored, plan: Plan, bench: Workbench) -> None:
    """Say what of code and environment is not as it was when a recorded run ran, or was gone on with."""
    here = bench.environment()
    rows = [row for environment in stored.environments() for row in differences(environment, here)]
    if stored.record.tags.get(CODE) != code_digest(plan.config):
        rows.insert(0, ("lenet's code", "another", "this"))
    name = cut(stored.record.name, 40)
    if not rows:
        log.info("environment and code are the same as when `%s` ran", name)
        return
    told = [{"": what, "then": cut(then, 30), "now": cut(now, 30)} for what, then, now in dict.fromkeys(rows)]
    log.warning("not as it was when `%s` ran; bits may differ:\n\n%s", name, to_table(told, "table"))


def requirements(recorded: Environment, here: Environment) -> str:
    """Return what would have to be installed to match a run's environment, as a file for `pip install -r`.

    What pip cannot install (Python, the BLAS's kernel, the processor) is said in comments.
    """
    lines = []
    for what, then, now in differences(recorded, here):
        package = what.removeprefix("package ")
        if package in PACKAGES and package not in ("lenet", "cupy") and VERSION.fullmatch(then):
            lines.append(f"{package}=={then}  # {'not installed' if now == UNKNOWN else now} here")
        else:
            lines.append(f"# {what}: {then}, here {now}")
    commit = _text(_at(recorded, "git", "commit"))
    if re.fullmatch(r"[0-9a-f]{40}", commit) and commit != _text(_at(here, "git", "commit")):
        lines.append(f"# lenet itself: git checkout {commit}")
    return "\n".join(lines or ["# nothing: this environment is the same"]) + "\n"


def _told(environment: Environment) -> Iterator[tuple[str, str]]:
    yield "Python", _text(_at(environment, "python", "version"))
    for package in PACKAGES:
        yield f"package {package}", _text(_at(environment, "packages", package))
    for key in ("library", "version", "kernel"):
        yield f"BLAS {key}", _text(_at(environment, "blas", key))
    for key in ("model", "architecture"):
        yield f"CPU {key}", _text(_at(environment, "cpu", key))
    yield "GPU", _text(environment.get("gpu"))
    yield "system", _text(_at(environment, "os", "name"))
    yield "git commit", _text(_at(environment, "git", "commit"))
    yield "uncommitted changes", _text(_at(environment, "git", "dirty"))


def _at(environment: Environment, part: str, key: str) -> Any:
    node = environment.get(part)
    return node.get(key) if isinstance(node, Mapping) else None


def _text(value: Any) -> str:
    """Return a recorded value as a short line that is fit to be printed."""
    if value is None:
        return UNKNOWN
    return "".join(c if c.isprintable() else "?" for c in str(value))[:60]
