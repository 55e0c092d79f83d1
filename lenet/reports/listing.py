"""An overview as text: tables by experiment that fit a terminal, or all that is known as `csv` or `json`."""

import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

from lenet.common.names import legible, shortened, shortened_or_cut
from lenet.common.tables import COLUMNS, Format, TableForm, cut, display_width, number, one_line, to_data, to_table
from lenet.reports.overview import BEST_ACCURACY, KEYS, TEST_ACCURACY, Row

BEST, TEST = "best\nval", "test\nacc"
RIGHT = ("runs", BEST, TEST, "time")
NAME = 50
"""Characters of an experiment's name."""
SHORTEST = 12
"""Characters of a run's name in a table, at least."""
Shorten = Callable[[Sequence[str], int], dict[str, str] | None]


def render(rows: Sequence[Row], form: Format, empty: Sequence[str] = (), columns: int = COLUMNS) -> str:
    """Return the rows as text that ends in a line's end: by experiment in the tables, after which come `empty` ones.

    A `table` is for a terminal of so many columns. The others hold full names, and `csv` and `json` full ids, numbers
    as they are, and times in ISO 8601.
    """
    if form == "json" or form == "csv":
        blank = dict.fromkeys((*KEYS, BEST_ACCURACY, TEST_ACCURACY, "sweep_id"))
        return to_data(rows, form) if rows or form == "json" else to_data([blank], form).splitlines()[0] + "\n"
    rows = [{**row, **{key: one_line(row[key]) for key in ("experiment", "name")}} for row in rows]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["experiment"], []).append(row)
    texts = [f"{_heading(name, group, form)}\n\n{_table(group, form, columns)}" for name, group in groups.items()]
    if empty:
        names = ", ".join(cut(name, NAME) for name in empty)
        texts.append(textwrap.fill(f"Without runs: {names}", columns, subsequent_indent="  ") + "\n")
    return "\n".join(texts) or "no runs\n"


def duration(seconds: float | None) -> str:
    """Return a time in at most six characters: `4.5s`, `12m34s`, `3h05m`, `2d03h`; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def _heading(name: str, rows: Sequence[Row], form: Format) -> str:
    sweeps = [row for row in rows if row["kind"] == "sweep"]
    alone = len(rows) - len(sweeps)
    counts = [f"{alone} run{'s' * (alone != 1)}"] * bool(alone or not sweeps)
    if sweeps:
        counts.append(f"{len(sweeps)} sweep{'s' * (len(sweeps) != 1)}")
    return f"{f'### {name}' if form == 'markdown' else cut(name, NAME)}: {', '.join(counts)}"


def _table(rows: Sequence[Row], form: TableForm, columns: int) -> str:
    """Return the rows as a table; in a terminal's one, runs of one sweep can be told apart by what is shown of a name.

    Where there is no room for that, the columns that are missed least are not shown: first those that say nothing.
    """
    sweeps = {row["run_id"] for row in rows if row["runs"] is not None}
    cells = [_cells(row) for row in rows]
    if form == "markdown":
        names = [_marked(row, row["name"], sweeps) for row in rows]
        cells = [{key.replace("\n", " "): text for key, text in row.items()} for row in cells]
        return to_table(_named(cells, names), form, [key.replace("\n", " ") for key in RIGHT])
    choices = [(left, _room(left, columns)) for left in _fewer_and_fewer(cells)]
    roomy = [(left, room) for left, room in choices if room >= SHORTEST] or [(choices[-1][0], SHORTEST)]
    tried = ((left, _told(rows, sweeps, room, way)) for way in (legible, shortened) for left, room in roomy)
    widest = (roomy[-1][0], _told(rows, sweeps, roomy[-1][1], shortened_or_cut))
    left, names = next(((left, names) for left, names in tried if names), widest)
    return to_table(_named(left, names), form, RIGHT)


def _room(cells: Sequence[Mapping[str, str]], columns: int) -> int:
    """Return how many characters of a name have room beside the rest of a table of so many columns."""
    widest = {key: max((row[key] for row in cells), key=len) for key in cells[0]}  # as wide as all, and sooner made
    without = to_table(_named([widest], [""]), "table", RIGHT)
    return columns - display_width(without) + len("name")  # its heading is there already


def _told(rows: Sequence[Row], sweeps: Collection[str], widest: int, shorten: Shorten) -> list[str]:
    """Return a name for each row, shortened among those of the same sweep; nothing where that is not possible."""
    siblings: dict[str | None, list[str]] = {}
    for row in rows:
        siblings.setdefault(row["sweep_id"], []).append(row["name"])
    told = {sweep: shorten(names, widest - 2 * (sweep in sweeps)) for sweep, names in siblings.items()}
    possible = {sweep: names for sweep, names in told.items() if names is not None}
    return [_marked(row, possible[row["sweep_id"]][row["name"]], sweeps) for row in rows if len(possible) == len(told)]


def _fewer_and_fewer(cells: Sequence[Mapping[str, str]]) -> Iterator[list[dict[str, str]]]:
    """Yield what a table says of each run, and then less and less of it."""
    left = [dict(row) for row in cells]
    yield left
    for key in ("runs", "status", "time", "started"):
        says_nothing = all(row[key] in ("", "FINISHED") for row in left)
        if says_nothing or key in ("time", "started"):
            left = [{name: text for name, text in row.items() if name != key} for row in left]
            yield left


def _named(cells: Sequence[Mapping[str, str]], names: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows with a name in each, after the id."""
    return [{"id": row["id"], "name": name, **row} for row, name in zip(cells, names, strict=True)]


def _marked(row: Row, name: str, sweeps: Collection[str]) -> str:
    """Return the name of a run, marked where it stands below its sweep, one of `sweeps`."""
    return f"└ {name}" if row["sweep_id"] in sweeps else name


def _cells(row: Row) -> dict[str, str]:
    """Return what a table says of a run besides its name."""
    runs, finished = row["runs"], row["finished"]
    return {
        "id": row["run_id"][:8],
        "runs": "" if runs is None else f"{runs}" if runs == finished else f"{finished}/{runs}",
        "status": "diverged" if row["diverged"] else row["status"],
        "started": _date(row["started"]),
        BEST: number(row[BEST_ACCURACY]),
        TEST: number(row[TEST_ACCURACY]),
        "time": duration(row["seconds"]),
    }


def _date(text: str) -> str:
    """Return when something was, as `ls` does: with the time of day if it was this year."""
    date = datetime.fromisoformat(text)
    return f"{date:%m-%d %H:%M}" if date.year == datetime.now().year else f"{date:%Y-%m-%d}"
