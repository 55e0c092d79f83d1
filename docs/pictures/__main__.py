"""Draw the pages' pictures into `docs/figures`."""

from pathlib import Path

from docs.pictures import PICTURES
from lenet.common.files import write_atomically
from lenet.plots.style import to_png

FOLDER = Path(__file__).resolve().parents[1] / "figures"

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        write_atomically(FOLDER / f"{name}.png", to_png(draw()))
