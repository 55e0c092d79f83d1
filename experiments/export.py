"""`python -m experiments.export RUN…`: write what sweeps measured to experiments/results/."""

import json
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from experiments.results import RESULTS, Result, Run, dumps, load, to_dict
from lenet.command_line.command import DONE, run_command, write_out
from lenet.common.files import write_atomically
from lenet.errors import UserError
from lenet.recorded.choosing import open_finder, split
from lenet.tracking.finding import Finder, is_sweep
from lenet.tracking.record import KIND, RunRecord
from lenet.tracking.tags import REPLACED, SWEPT

DATA = "lenet.data.Mnist"
"""The data set that results are of."""
IMAGES = 60_000
"""Its training images."""
ELSEWHERE = ("tracking.", "sweep.", "hydra.")
"""Beginnings of overrides that say where and how runs were made, not what they are."""
LEFT_OUT = ("samples_per_second", "lr")
"""Metrics whose history is not kept."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Export the runs that are named and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    names, keys = split(arguments)
    if not names:
        raise UserError("RUN is missing. Accepted: sweeps or runs of an experiment=…, such as `last`.")
    finder = open_finder(keys.get("tracking.uri"))
    for name in names:
        write_out(f"{export(finder, finder.find(name), RESULTS)}\n")
    return DONE


def export(finder: Finder, record: RunRecord, folder: Path) -> Path:
    """Write what a run, or a sweep's runs, measured to a file of its experiment's name, and return that.

    Raises `UserError`, with an earlier file left as it is, where it was no `experiment=…`, is not finished, or has
    fewer runs than that, uncommitted code or settings of its own where that has none.
    """
    records = [record]
    if is_sweep(record):
        records = [child for child in finder.children(record) if REPLACED not in child.tags]
    unfinished = [each.name for each in (record, *records) if each.status != "FINISHED"]
    if unfinished or not records:
        found = ", ".join(unfinished[:5]) or "no run"
        raise UserError(f"`{record.name}` ({record.id}): not finished: {found}. Accepted: a whole, FINISHED sweep.")
    found = records[0].params["data._target_"]
    if found != DATA:
        raise UserError(f"`{record.name}` ({record.id}) is on {found}; accepted: data=mnist.")
    chosen = _chosen(finder, records[0])
    name = _experiment(chosen)
    if name is None:
        raise UserError(f"`{record.name}` ({record.id}) was given no experiment=…, which would name the result.")
    facts = _artifact(finder, records[0], "environment.json")
    blas = facts["blas"]
    result = Result(
        name=name,
        command=" ".join(["python -m lenet.run", *chosen, *["-m"] * is_sweep(record)]),
        commit=facts["git"]["commit"],
        dirty=facts["git"]["dirty"],
        date=datetime.fromtimestamp(record.start, UTC).date().isoformat(),
        machine=f"{facts['cpu']['model']}, {facts['cpu']['cores']} cores; Python {facts['python']['version']}, "
        f"NumPy {facts['packages']['numpy']}, {blas['library']} {blas['version']} ({blas['kernel']})",
        data=f"{records[0].params['data._target_'].rpartition('.')[2]} {records[0].tags['lenet.data'][:12]}",
        runs=tuple(sorted((_run(finder, each) for each in records), key=lambda run: list(run.swept.values()))),
    )
    _check_no_worse(result, load(name, folder))
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    write_atomically(path, dumps(result).encode())
    return path


def latest(finder: Finder, name: str, since: float) -> RunRecord:
    """Return the sweep of an experiment that was started last, at `since` (in seconds since the epoch) or later.

    Raises `UserError` where there is none.
    """
    for record in finder.search(f"tags.`{KIND}` = 'sweep'"):
        if record.start < since:
            break
        children = finder.children(record)
        if children and _experiment(_chosen(finder, children[0])) == name:
            return record
    raise UserError(f"there is no sweep of {name} that was started in this time.")


def _chosen(finder: Finder, record: RunRecord) -> list[str]:
    """Return what a run was given on its command line, without what its sweep gave it."""
    swept = json.loads(record.tags.get(SWEPT, "{}"))
    words: list[str] = _artifact(finder, record, "config/overrides.yaml")
    return [word for word in words if word.partition("=")[0] not in swept and not word.startswith(ELSEWHERE)]


def _experiment(chosen: Sequence[str]) -> str | None:
    return next((word.partition("=")[2] for word in chosen if word.startswith("experiment=")), None)


def _check_no_worse(new: Result, old: Result | None) -> None:
    """Raise `UserError` where a result is worth less than the one it would replace."""
    if old is None:
        return
    reasons = [
        f"{len(new.runs)} runs instead of {len(old.runs)}" if len(new.runs) < len(old.runs) else "",
        "code that is not committed" if new.dirty and not old.dirty else "",
        f"settings of its own: {new.command}" if old.is_plain and not new.is_plain else "",
    ]
    if any(reasons):
        found = "; ".join(reason for reason in reasons if reason)
        raise UserError(
            f"{new.name} is kept as it was measured on {old.date}: the new result has {found}. "
            f"Accepted: the file's own runs, from committed code; or remove results/{new.name}.json first."
        )


def _run(finder: Finder, record: RunRecord) -> Run:
    histories = finder.histories(record)
    rates = [value for _, value in histories["samples_per_second"]]
    images = _images(record)
    return Run(
        swept=json.loads(record.tags.get(SWEPT, json.dumps({"seed": record.params["seed"]}))),
        metrics=to_dict({key: value for key, value in record.metrics.items() if key not in LEFT_OUT}),
        history={
            name: [float(f"{value:.4g}") for _, value in points]
            for name, points in histories.items()
            if len(points) == len(rates) and name not in LEFT_OUT and not name.startswith(("test/", "best/"))
        },
        seconds=round(sum(images / rate for rate in rates), 2),
        diverged=record.tags.get("diverged") == "true",
    )


def _images(record: RunRecord) -> int:
    """Return how many images an epoch trains on."""
    held_out = 0.0 if record.params["data.validation"] == "report" else float(record.params["data.validation"])
    images = round(IMAGES * (1 - held_out))
    if record.params["trainer.sampler"] == "one_per_block":
        return math.ceil(images / int(record.params["trainer.batch_size"]))
    return images


def _artifact(finder: Finder, record: RunRecord, name: str) -> Any:
    """Return what a run's YAML or JSON artifact says."""
    with finder.artifact(record.id, name) as path:
        if path is None:
            raise UserError(f"`{record.name}` ({record.id}) has no artifact {name}.")
        return yaml.safe_load(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
