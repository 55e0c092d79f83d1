"""What runs take on disk: bytes of checkpoints, models, figures and the rest, of the database, and of deleted runs.

Bytes are lengths of files. What a file system adds to them is not counted.
"""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lenet.common.names import shortened_or_cut
from lenet.common.tables import Format, to_data, to_table
from lenet.tracking.address import SERVERS, mask, sqlite_path
from lenet.tracking.finding import Finder, is_sweep
from lenet.tracking.record import RunRecord

KINDS = ("checkpoints", "model", "figures", "other")
SIZES = (*KINDS, "total")
LEFT_OUT = "other"
"""Of those, the one that a terminal has no room for: it is little, and the total tells it."""
NAME = 26
"""Characters of a run's name in a terminal's table."""
OWN = " (own)"
"""What follows the name of a sweep: its runs are not counted in."""

Row = dict[str, Any]


def usage(finder: Finder, runs: Sequence[RunRecord], uri: str) -> list[Row]:
    """Return what each run takes, the largest first, then rows of the kinds `sum`, `deleted` and `database`.

    A run whose artifacts should be files of this machine and are not has None for its sizes. `deleted` is all
    deleted runs of the store together, `database` the file of an SQLite store with what SQLite keeps beside it.
    """
    rows = [_row(run.name, "sweep" if is_sweep(run) else "run", run.id, finder.artifact_sizes(run.id)) for run in runs]
    rows.sort(key=lambda row: -1 if row["total"] is None else row["total"], reverse=True)
    rows.append(_added(_counted(runs, "run"), "sum", rows))
    if gone := finder.deleted():
        parts = [_row("", "deleted", run_id, finder.artifact_sizes(run_id)) for run_id in gone]
        rows.append(_added(_counted(gone, "deleted run"), "deleted", parts))
    if path := sqlite_path(uri):
        files = [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))]
        total = sum(_length(file) for file in files)
        rows.append({"run": str(path), "kind": "database", **dict.fromkeys(KINDS), "total": total, "run_id": ""})
    return rows


def render(rows: Sequence[Row], form: Format, uri: str) -> str:
    """Return the rows as text that ends in a line's end: readable units in the tables, bytes in `csv` and `json`."""
    if form == "json" or form == "csv":
        return to_data(rows, form)
    told = [size for size in SIZES if form == "markdown" or size != LEFT_OUT]
    runs = [row for row in rows if row["kind"] in ("run", "sweep")]
    names = [row["run"] + OWN * (row["kind"] == "sweep") for row in runs]
    short = {} if form == "markdown" else shortened_or_cut(names, NAME)
    shown = [_shown(row, short.get(name, name), told) for row, name in zip(runs, names, strict=True)]
    shown += [_shown(row, "sum", told) for row in rows if row["kind"] == "sum"]
    sentences = list(_sentences(rows, uri))
    if form == "markdown":
        sentences = [f"- {sentence}" for sentence in sentences]
    return to_table(shown, form, right=told) + "".join(f"{line}\n" for line in ["", *sentences] if sentences)


def readable(count: int | None) -> str:
    """Return a number of bytes with three digits and a unit (1 kB is 1,000 bytes); a dash for None."""
    if count is None:
        return "–"
    if count < 1000:
        return f"{count} B"
    size, units = count / 1000, iter(("kB", "MB", "GB"))
    unit = next(units)
    while size >= 999.5 and (larger := next(units, None)):
        size, unit = size / 1000, larger
    return f"{size:.{max(0, 3 - len(f'{size:.0f}'))}f} {unit}"


def _row(name: str, kind: str, run_id: str, artifacts: dict[str, int] | None) -> Row:
    sizes: dict[str, int | None] = dict.fromkeys(SIZES)
    if artifacts is not None:
        sizes = dict.fromkeys(SIZES, 0)
        for path, count in artifacts.items():
            folder = path.partition("/")[0]
            for column in (folder if folder in KINDS[:-1] else "other", "total"):
                sizes[column] = (sizes[column] or 0) + count
    return {"run": name, "kind": kind, **sizes, "run_id": run_id}


def _added(name: str, kind: str, rows: Iterable[Row]) -> Row:
    rows = list(rows)
    return {"run": name, "kind": kind, **{key: sum(row[key] or 0 for row in rows) for key in SIZES}, "run_id": ""}


def _counted(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _shown(row: Row, name: str, sizes: Sequence[str]) -> dict[str, str]:
    return {"run": name, **{key: readable(row[key]) for key in sizes}, "id": row["run_id"][:8]}


def _sentences(rows: Sequence[Row], uri: str) -> Iterable[str]:
    by_kind = {row["kind"]: row for row in rows}
    if missing := sum(row["total"] is None for row in rows if row["kind"] in ("run", "sweep")):
        yield f"Without a folder of artifacts on this machine: {missing} of these runs."
    if "database" in by_kind:
        yield f"The database takes {readable(by_kind['database']['total'])}: {by_kind['database']['run']}"
    if "deleted" in by_kind:
        row = by_kind["deleted"]
        address = shlex.quote(mask(uri))  # `mlflow gc` asks for it twice
        here = f":\nmlflow gc --backend-store-uri {address} --tracking-uri {address}"
        command = " by `mlflow gc` on the server." if uri.startswith(SERVERS) else here
        yield f"{readable(row['total'])} more are held by {row['run']} of this store, until removed{command}"


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
