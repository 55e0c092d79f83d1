"""What holds for every figure: it can be read, and nothing global is touched."""

import subprocess
import sys
from itertools import combinations

import pytest

from lenet import plots
from tests.plots.helpers import EXAMPLES, HISTORY, shown


@pytest.mark.parametrize("example", EXAMPLES)
def test_texts_are_legible_apart_and_on_the_page(example: str) -> None:
    figure = EXAMPLES[example]()
    texts = shown(figure)
    assert min(float(text.get_fontsize()) for text in texts) >= 9
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    # The heights of text boxes include room for letters that are not there.
    apart = [(name, box.shrunk(0.9, 0.9)) for name, box in boxes]
    assert [(a, b) for (a, one), (b, other) in combinations(apart, 2) if one.overlaps(other)] == []
    page = figure.bbox
    assert [name for name, box in boxes if min(*box.p0, *(page.p1 - box.p1)) < 0] == []


def test_a_figure_is_rendered_as_png_at_the_resolution_asked_for() -> None:
    image = plots.to_png(plots.curves(HISTORY, "a run"), dpi=50)
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(image[16:20]) == 7 * 50


def test_pyplot_and_its_global_state_are_never_imported() -> None:
    code = "import lenet.plots, sys; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
