"""Fonts for names in any script: Matplotlib's own has no Chinese, Japanese or Korean."""

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

log = logging.getLogger(__name__)

BOXES = "Last Resort"
"""How the font is called that comes with Matplotlib and has a box for whatever there is."""


def set_fonts(figure: Figure) -> None:
    """Have all texts of a figure fall back on installed fonts for what the usual one lacks."""
    texts = [artist for artist in figure.findobj(Text) if isinstance(artist, Text)]
    characters = {character for text in texts for character in text.get_text() if not character.isspace()}
    if missing := characters - _characters(Path(findfont(FontProperties()))):
        families = [*rcParams["font.family"], *_fallbacks(frozenset(missing))]
        for text in texts:
            text.set_fontfamily(families)


@cache
def _fallbacks(missing: frozenset[str]) -> list[str]:
    """Return installed families that have these characters between them; say once which of them none has."""
    left, found = set(missing), []
    for name, path in _installed():
        if not left:
            break
        if left & (has := _characters(path)):
            found.append(name)
            left -= has
    if left:
        log.warning("figures have boxes for characters that no font here has: %s", "".join(sorted(left)))
    return found


def _installed() -> Iterator[tuple[str, Path]]:
    """Yield the families of upright fonts and the files that they are in, in the order of their names."""
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.name, entry.fname)):
        if entry.style == "normal" and not entry.name.startswith(BOXES):
            yield entry.name, Path(entry.fname)


@cache
def _characters(path: Path) -> frozenset[str]:
    """Return what a font can draw: nothing if it is on Matplotlib's list, and no longer there."""
    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()
