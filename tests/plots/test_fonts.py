"""Names in any script: drawn with fonts that have them, and what none has is said once."""

import logging

import numpy as np
import pytest
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text

from lenet import plots

UNASSIGNED = "\u0378"
"""A character that Unicode does not have, and so no font."""


def characters(family: str) -> set[str]:
    return {chr(code) for code in get_font(findfont(family)).get_charmap()}


def confused(name: str) -> plots.Figure:
    return plots.confusion_matrix(np.eye(2, dtype=int), [name, "dog"])


def families(figure: plots.Figure, name: str) -> list[str]:
    return next(text.get_fontfamily() for text in figure.findobj(Text) if text.get_text() == name)  # type: ignore[attr-defined]


def told(recwarn: pytest.WarningsRecorder) -> list[str]:
    """Return the warnings for whoever draws; that what an old Matplotlib uses is deprecated is none of them."""
    return [str(each.message) for each in recwarn.list if each.category is UserWarning]


def test_what_the_usual_font_lacks_is_drawn_with_one_that_has_it(
    recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    name = min(characters("STIXGeneral") - characters("DejaVu Sans"))
    figure = confused(name)
    plots.to_png(figure)
    usual, *others = families(figure, name)
    assert usual == "sans-serif"
    assert any(name in characters(family) for family in others)
    assert told(recwarn) == []
    assert not caplog.records


def test_what_no_font_has_is_said_once_and_matplotlib_says_nothing(
    recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            plots.to_png(confused(f"cat {UNASSIGNED}"))
    assert caplog.messages == [f"figures have boxes for characters that no font here has: {UNASSIGNED}"]
    assert told(recwarn) == []


def test_names_that_the_usual_font_has_leave_it_alone() -> None:
    figure = confused("Größe – кот")
    plots.to_png(figure)
    assert families(figure, "Größe – кот") == ["sans-serif"]
