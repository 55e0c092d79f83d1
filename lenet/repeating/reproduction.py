"""Running a recorded run again from what it recorded, and holding the second run to the first."""

import logging
import math
from collections.abc import Collection, Mapping, Sequence

from lenet.checkpoint import Checkpoint
from lenet.common.flatten import flatten
from lenet.common.tables import cut, to_table
from lenet.configuration.build import build
from lenet.configuration.composition import set_values
from lenet.errors import Failure, UserError
from lenet.recorded.extension import CHANGEABLE
from lenet.recorded.identity import CONFIG, config_digest
from lenet.recorded.stored import Stored, read_stored
from lenet.repeating import differences
from lenet.repeating.differences import Difference, History
from lenet.repeating.surroundings import say_surroundings
from lenet.running.experiment import execute
from lenet.running.workbench import Workbench
from lenet.tracking.tags import EVALUATION, REPRODUCED, REPRODUCES, RESUMED

log = logging.getLogger(__name__)

FREE = tuple(key for key in CHANGEABLE if key not in ("trainer.epochs", "trainer.early_stopping"))
"""What may be given another value in a repetition: of these, another backend alone changes bits."""
NOT_COMPARED = (*(f"config.{key}" for key in CHANGEABLE), "framing.like_mnist", "framing.background")
"""What checkpoints may say otherwise; how images are framed follows from the data, and runs did not always say it."""
SHOWN = 10
"""Differences that are shown."""


def reproduce(stored: Stored, overrides: Sequence[str], allowed: Collection[str], tolerance: float) -> bool:
    """Run a finished run again as a run of its own, and say whether it comes out the same, or within `tolerance`.

    `overrides` change values of `FREE` keys, `allowed` are the modules besides lenet's own whose classes may be built.
    Raises `UserError` where the run cannot be repeated: it is not finished, or its data cannot be had or are not the
    same; `Failure` where what it recorded of itself contradicts itself.
    """
    record = stored.record
    if record.status != "FINISHED":
        raise UserError(f"run `{record.name}` ({record.id}) is {record.status}; accepted: one that is FINISHED.")
    plan = build(set_values(stored.config, overrides, FREE), allowed)
    _check_consistent(stored)
    kept = {name: stored.checkpoint(name) for name in ("last", "best")}
    bench = Workbench()
    say_surroundings(stored, plan, bench)
    stored.check_data(bench.dataset(plan).digest)
    run_id, _ = execute(plan, stored.overrides, f"{record.name}-again", {REPRODUCES: record.id}, bench)
    again = read_stored(stored.finder, stored.finder.find(run_id))
    found = _compare(stored, kept, again)
    verdict = _verdict(found, tolerance)
    bench.store(plan.tracking).set_tag(run_id, REPRODUCED, verdict)
    return verdict != "different"


def _check_consistent(stored: Stored) -> None:
    """Raise `Failure` where what a run recorded of its configuration, in three places, is not the same everywhere."""
    from lenet.tracking.operations import PARAM_LENGTH, as_text  # MLflow takes more than a second to import

    record = stored.record
    where = {key: value for key, value in flatten(stored.config).items() if not key.startswith(("tracking.", "sweep."))}
    told = {key: as_text(value, PARAM_LENGTH) for key, value in where.items()}
    wrong = [
        f"`{key}` is {told.get(key, 'missing')} in config/config.yaml, and {record.params.get(key, 'missing')} as a "
        "parameter"
        for key in dict.fromkeys([*told, *(k for k in record.params if not k.startswith(("tracking.", "sweep.")))])
        if told.get(key) != record.params.get(key)
    ]
    if not wrong and config_digest(stored.config) != record.tags.get(CONFIG):
        wrong = ["the digest of config/config.yaml is not the one in the tag lenet.config"]
    if wrong:
        raise Failure(
            f"run `{record.name}` ({record.id}) is not reproduced: what it recorded of its configuration has been "
            f"altered: {wrong[0]}{f', and {len(wrong) - 1} more' if wrong[1:] else ''}."
        )


def _compare(first: Stored, kept: Mapping[str, Checkpoint | None], again: Stored) -> list[Difference]:
    """Return every difference between two runs, those of metrics first; say what was compared.

    `kept` are the checkpoints of the first.
    """
    was, now = (_own(run.finder.histories(run.record)) for run in (first, again))
    found = list(differences.of_metrics(was, now, ends_only_last=RESUMED in first.record.tags))
    arrays = 0
    for name, saved in kept.items():
        pair = saved, again.checkpoint(name)
        if pair[0] and pair[1]:
            arrays += len(pair[0].arrays)
            found += differences.of_arrays(name, pair[0], pair[1])
            found += differences.of_meta(name, pair[0], pair[1], NOT_COMPARED)
        elif pair[0] or pair[1]:
            was_there, is_there = ("there" if saved else None for saved in pair)
            found.append(Difference(f"checkpoints/{name}.npz", "", was_there, is_there))
    log.info("compared: %d points of %d metrics, %d arrays", *differences.count(was), arrays)
    if not arrays:
        log.warning("no weights were compared: the run kept no checkpoints (trainer.checkpoints)")
    return found


def _own(histories: History) -> History:
    """Leave out the metrics that were added to a run afterwards."""
    return {name: points for name, points in histories.items() if not name.startswith(EVALUATION)}


def _verdict(found: Sequence[Difference], tolerance: float) -> str:
    """Say what the differences come to."""
    if not found:
        log.info("identical, bit by bit")
        return "identical"
    largest = max(difference.distance for difference in found)
    if tolerance and largest <= tolerance:
        log.info("within the tolerance of %g: %d differ, the largest by %.2g", tolerance, len(found), largest)
        return "within tolerance"
    rows = [
        {
            "what": cut(d.what, 28),
            "where": cut(d.where, 14),
            "was": _shown(d.was),
            "is now": _shown(d.now),
            "apart": f"{d.distance:.1e}" if math.isfinite(d.distance) else "",
        }
        for d in found[:SHOWN]
    ]
    more = f"and {len(found) - SHOWN} more\n" if len(found) > SHOWN else ""
    log.info("not identical; the first of %d differences:\n\n%s%s", len(found), to_table(rows, "table"), more)
    return "different"


def _shown(value: float | str | None) -> str:
    return "missing" if value is None else f"{value:.9g}" if isinstance(value, float) else cut(value, 12)
