"""The project's pages, read as a reader does: their code blocks, links and headings."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "experiments/README.md"])


@dataclass(frozen=True)
class Block:
    """A block of code: its language (empty where it is only indented), its text, and the section it stands in."""

    language: str
    text: str
    section: str
    line: int


def _tokens(path: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(path.read_text(encoding="utf-8"))


def blocks(path: Path) -> list[Block]:
    """Return a page's blocks of code."""
    section, found, tokens = "", [], _tokens(path)
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag in ("h1", "h2"):
            section = tokens[index + 1].content
        elif token.type in ("fence", "code_block"):
            found.append(Block(token.info.strip(), token.content, section, (token.map or [0])[0] + 1))
    return found


def commands(path: Path) -> Iterator[list[str]]:
    """Yield the words of every `python -m lenet.…` and `python -m experiments.…` in a page's blocks of shell."""
    for block in blocks(path):
        if block.language in ("", "sh"):
            for line in block.text.replace("\\\n", " ").splitlines():
                if line.strip().startswith("python -m "):
                    words = shlex.split(line, comments=True)
                    yield words[: words.index("&&")] if "&&" in words else words


def links(path: Path) -> set[str]:
    """Return what a page links to and the images that it shows."""
    children = [child for token in _tokens(path) for child in token.children or []]
    targets = {str(child.attrGet("href") or child.attrGet("src") or "") for child in children}
    return targets - {""}


def anchors(path: Path) -> set[str]:
    """Return the names by which a page's headings are linked to."""
    tokens = _tokens(path)
    titles = [tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
