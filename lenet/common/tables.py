"""Rows as text: to be read (`table`, `markdown`) or to be read in by another program (`csv`, `json`)."""

import csv
import io
import json
import math
import unicodedata
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal

from lenet.errors import escaped

Format = Literal["table", "markdown", "csv", "json"]
TableForm = Literal["table", "markdown"]
Row = Mapping[str, Any]

COLUMNS = 80
"""The width of a terminal."""
WIDEST = 20
"""Columns of a value in a table."""


def to_data(rows: Sequence[Row], form: Literal["csv", "json"]) -> str:
    """Return rows that all have the keys of the first, numbers as they are, as text that ends in a line's end."""
    if form == "json":
        text = json.dumps([_without_nan(row) for row in rows], indent=2, ensure_ascii=False)
        # What cannot be printed stands in texts alone, and would be escaped in a way that JSON does not know.
        return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text) + "\n"
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()


def to_table(rows: Sequence[Row], form: TableForm, right: Collection[str] = ()) -> str:
    """Return rows of texts under their keys, the columns called `right` aligned there, ending in a line's end.

    Each row is one line; only keys may have several.
    """
    from tabulate import tabulate  # which takes as long to import as all else of a command that only tells of itself

    rows = [{key: one_line(text) for key, text in row.items()} for row in rows]
    if form == "markdown":  # where a bar would begin a new cell
        rows = [{bars(key): bars(text) for key, text in row.items()} for row in rows]
    styles = {"table": "simple", "markdown": "github"}
    sides = ["right" if key in right else "left" for key in rows[0]] if right else None
    return tabulate(rows, headers="keys", tablefmt=styles[form], disable_numparse=True, colalign=sides) + "\n"


def to_tables(rows: Sequence[Row], columns: int) -> str:
    """Return rows of texts as one table, or where that is wider than `columns`, as several below one another.

    Each has the first column, and as many of the others as there is room for, but at least one.
    """
    widest = {
        key: max((row[key] for row in rows), key=display_width) for key in rows[0]
    }  # as wide as all, and sooner made

    def width(keys: Sequence[str]) -> int:
        return display_width(to_table([{key: widest[key] for key in keys}], "table"))

    first, *others = rows[0]
    parts = [[first]]
    for key in others:
        if len(parts[-1]) > 1 and width([*parts[-1], key]) > columns:
            parts.append([first])
        parts[-1].append(key)
    return "\n".join(to_table([{key: row[key] for key in part} for row in rows], "table") for part in parts)


def bars(text: str) -> str:
    """Return a text with its bars escaped, for a cell of a table in Markdown."""
    return text.replace("|", "\\|")


def one_line(text: str) -> str:
    """Return a text with all that does not print, also ends of lines and tabs, written out: `\\n`."""
    return escaped(text).replace("\n", "\\n").replace("\t", "\\t")


def display_width(text: str) -> int:
    """Return how many columns of a terminal the longest line of a text takes: two for each wide character."""
    return max((sum(map(_columns, line)) for line in text.splitlines()), default=0)


def cut(text: str, widest: int = WIDEST) -> str:
    """Cut a text of more than `widest` columns in its middle: runs' names and values differ at both ends."""
    if display_width(text) <= widest:
        return text
    end = widest // 2
    return f"{_beginning(text, widest - end - 1)}…{_beginning(text[::-1], end)[::-1]}"


def number(value: float | None) -> str:
    """Return a number with four decimals, a large one with four digits, and nothing for None or NaN."""
    return "" if value is None or math.isnan(value) else f"{value:.4f}" if abs(value) < 1000 else f"{value:.4g}"


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _beginning(text: str, widest: int) -> str:
    """Return as many first characters as take at most `widest` columns."""
    taken = accumulate(map(_columns, text))
    return text[: bisect_right(list(taken), widest)]


def _without_nan(row: Row) -> dict[str, Any]:
    """JSON has neither NaN nor infinities: they become texts."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }
