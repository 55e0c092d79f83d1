"""Docstrings as they are written here, made reStructuredText: lists of parameters become fields."""

import re
from typing import Any

from sphinx.application import Sphinx

PARAMETER = re.compile(r"(?P<names>[a-z_][a-z_0-9]*(?:, [a-z_][a-z_0-9]*)*): (?=\S)")


def to_rst(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Turn `name: what it means`, at the beginning of a line, into a field, and what would be emphasis into text."""
    converted: list[str] = []
    within = False  # a field, which goes on in indented lines
    for line in lines:
        match = PARAMETER.match(line)
        if match:
            if converted and converted[-1] and not within:
                converted.append("")
            line = f":{match['names']}: {line[match.end() :]}"
            within = True
        elif within and line and not line.startswith(" "):
            converted.append("")
            within = False
        elif not line:
            within = False
        converted.append(outside_code(line))
    lines[:] = converted


def outside_code(line: str) -> str:
    """Return a line with the signs that reStructuredText reads, other than backticks, written out between code."""
    pieces = line.split("`")
    return "`".join(
        piece if index % 2 else re.sub(r"([*|]|_(?=\W|$))", r"\\\1", piece) for index, piece in enumerate(pieces)
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Have autodoc ask for it."""
    app.connect("autodoc-process-docstring", to_rst)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
