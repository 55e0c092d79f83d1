"""The report of the experiments as a page: it lies beside what it is made of, and links to files that are no pages."""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

PAGE = "experiments"
FOLDER = Path(__file__).resolve().parents[2] / "experiments"
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^]]*)\]\((?P<target>[^)#:]+)\)")


def fill(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the report in the page's place: its figures from where they lie, its links to files as their names."""
    if docname == PAGE:
        app.env.note_dependency(FOLDER / "README.md")
        source[0] = LINK.sub(_moved, (FOLDER / "README.md").read_text(encoding="utf-8"))


def _moved(match: re.Match[str]) -> str:
    if match["image"]:
        return f"![{match['text']}](../experiments/{match['target']})"
    return f"{match['text']} (`experiments/{match['target']}`)"


def setup(app: Sphinx) -> dict[str, Any]:
    """Have Sphinx ask as it reads."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
