"""How a run is recorded, from its start or from where it goes on to its close with the status that is true."""

import io
import json
import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import yaml

from lenet.arrays import blas
from lenet.common.flatten import flatten
from lenet.common.signals import shielded
from lenet.common.tables import cut
from lenet.configuration.build import Plan
from lenet.configuration.trust import other_modules
from lenet.data.framing import framing_of
from lenet.errors import Failure, UserError
from lenet.recorded.continuation import Continuation
from lenet.recorded.identity import CODE, CONFIG, DATA, code_digest, config_digest
from lenet.recorded.stored import as_tags
from lenet.running.blame import culprit
from lenet.running.progress import layer_table
from lenet.running.session import Session
from lenet.running.workbench import Workbench
from lenet.tracking.address import mask, masked
from lenet.tracking.tags import CHANGED, CONFIGURATION, ERROR, RESUMED, SEVERAL, STOPPED_EARLY
from lenet.tracking.ui import how_to_look

if TYPE_CHECKING:
    from lenet.tracking.run import Run

log = logging.getLogger(__name__)

NAME_WIDTH = 40
"""Characters of a job's name that its line on the terminal has room for."""


class RunFailed(Failure):
    """A run raised and is closed as FAILED; the message says why."""


@contextmanager
def recorded(
    plan: Plan,
    overrides: Sequence[str],
    name: str | None,
    tags: Mapping[str, str],
    bench: Workbench,
    earlier: Continuation | None = None,
) -> "Iterator[Run]":
    """Open the MLflow run, and close it with its true status and its log, however the body ends."""
    store = bench.store(plan.tracking)
    if not plan.sweep.parent:
        store.close_gone()
    if earlier:
        run = store.reopen(earlier.record)
    else:
        known = {CONFIG: config_digest(plan.config), CODE: code_digest(plan.config)}
        run = store.start_run(
            name,
            kind="job" if plan.sweep.parent else "run",
            params=flatten(plan.config),
            tags={**known, **as_tags(plan.config, overrides), **tags},
            parent=plan.sweep.parent,
            commit=bench.commit,
        )
    text = io.StringIO(earlier.log if earlier else "")
    text.seek(0, io.SEEK_END)
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("lenet")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    status: Literal["FINISHED", "FAILED", "KILLED"] = "FAILED"
    reason = ""
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        kept = " with its last checkpoint" if plan.trainer.keeps_last else ""
        log.warning("%s: interrupted, closed as KILLED%s", cut(run.name, NAME_WIDTH), kept)
        reason = "it was asked to stop (Ctrl-C or SIGTERM)"
        raise
    except Exception as error:
        expected = isinstance(error, UserError | Failure)
        reason = str(error) if expected else culprit(error) or f"{type(error).__name__}: {error}"
        if plan.sweep.parent:  # its line is one of many; the log has it all
            log.error("%s failed: %s", cut(run.name, NAME_WIDTH), reason)
            log.debug("failed:", exc_info=not expected)
        else:
            log.error("failed: %s", reason, exc_info=not expected)
        raise RunFailed(f"run {run.name} failed: {reason}") from error
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        with shielded():
            try:
                if reason:
                    run.set_tag(ERROR, reason)
                run.log_text(text.getvalue(), "log.txt")
            finally:
                run.close(status)
        if status != "FINISHED" and not plan.sweep.parent:
            log.info("to go on with it:\n%s", resume_command(plan, run.id))
    if not plan.sweep.parent:
        log.info("%s", how_to_look(store.uri, store.experiment_id))


def resume_command(plan: Plan, run_id: str) -> str:
    """Return the command that goes on with a run."""
    uri = plan.config["tracking"].get("uri")
    options = [word for module in other_modules(plan.config) for word in ("--allow", module)]
    return shlex.join(
        ["python", "-m", "lenet.resume", run_id, *options, *([f"tracking.uri={mask(uri)}"] if uri else [])]
    )


def describe(
    plan: Plan,
    session: Session,
    overrides: Sequence[str],
    run: "Run",
    bench: Workbench,
    earlier: Continuation | None = None,
) -> None:
    """Record and show what the run is made of, before it starts or goes on."""
    environment = json.dumps(bench.environment(session.backend.gpu), indent=2)
    config = yaml.safe_dump(dict(plan.config), sort_keys=False)
    if earlier:
        _describe_again(plan, run, earlier)
    if earlier and earlier.stored.config_text is not None:
        run.log_text(environment, f"resumed/{earlier.number}/environment.json")
        if earlier.is_changed:
            run.log_text(earlier.stored.config_text, f"resumed/{earlier.number}/config_before.yaml")
            run.log_text(config, "config/config.yaml")
    else:
        run.log_text(environment, "environment.json")
        run.log_dataset(session.dataset.name, session.dataset.digest, session.dataset.source)
        run.set_tag(DATA, session.dataset.digest)
        run.log_text(yaml.safe_dump(masked(list(overrides))), "config/overrides.yaml")
        run.log_text(config, "config/config.yaml")
    # Not before: until the configuration is an artifact, a run that is killed is known by these.
    known = earlier.record.tags if earlier else as_tags(plan.config, overrides)
    for tag in known:
        if tag.startswith(CONFIGURATION):
            run.delete_tag(tag)
    _show(plan, session, run)


def _describe_again(plan: Plan, run: "Run", earlier: Continuation) -> None:
    """Record how a run is gone on with, and what its process did not get to record if it was killed at the start."""
    tags = earlier.record.tags
    run.set_tag(RESUMED, earlier.number)
    run.log_params(earlier.missing)
    for key, value in earlier.changed.items():
        run.set_tag(f"{CHANGED}{key}", value)
    run.set_tag(CONFIG, config_digest(plan.config))
    if tags.get(CODE) != code_digest(plan.config):
        run.set_tag(CODE, SEVERAL)
    if STOPPED_EARLY in tags:
        run.delete_tag(STOPPED_EARLY)


def _show(plan: Plan, session: Session, run: "Run") -> None:
    data, tables = session.dataset, session.engine.tables
    size = "×".join(map(str, data.train_images.shape[1:]))
    level = logging.DEBUG if plan.sweep.parent else logging.INFO  # a sweep's jobs are much alike
    log.log(level, "run %s on %s: images of %s in %d classes,", run.name, data.name, size, len(data.classes))
    sizes = len(tables["train"]), session.validation_size, len(tables["test"])
    log.log(level, "%s to train on, %s to validate, %s to test", *(f"{count:,}" for count in sizes))
    log.log(level, "backend %s, %s", session.backend.name, session.backend.reason)
    slow = blas.outdated((blas.describe() or {}).get("kernel"), blas.processor_flags())
    if slow and session.backend.name == "numpy":
        log.log(logging.DEBUG if plan.sweep.parent else logging.WARNING, "%s", slow)
    log.log(level, "\n%s\n", layer_table(session.network.summaries))


def checkpoint_meta(plan: Plan, session: Session) -> dict[str, Any]:
    """Return what a checkpoint says besides its arrays and their state: enough to rebuild the network and feed it."""
    return {
        "config": {key: value for key, value in plan.config.items() if key != "tracking"},
        "classes": list(session.dataset.classes),
        "input_shape": list(session.network.input_shape),
        "scaling": {"shift": session.shift, "scale": session.scale},
        "data_digest": session.dataset.digest,
        "framing": framing_of(session.dataset.train_images).model_dump(),
    }
