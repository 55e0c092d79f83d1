"""`python -m experiments.report`: write README.md and figures/ from results/ alone."""

import sys
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from experiments.prose import table
from experiments.results import FOLDER, RESULTS, describe, load
from experiments.sections import SECTIONS
from lenet import plots
from lenet.common.files import write_atomically

HEAD = """\
# Experiments

Each file here is an experiment that one command runs again: `python -m lenet.run experiment=NAME -m` for all its runs
(its seeds, and what else it sweeps over, stand in it), without `-m` for one. This page is made by
`make experiments-report` of what they measured on full MNIST, kept in [`results`](results); `make experiment NAME=…`
measures one again. Means are over n seeds, ± is the sample standard deviation; a test error is that of all 10,000 test
images, with the last weights."""


def build(results: Path = RESULTS) -> tuple[str, dict[str, Figure]]:
    """Return the page and its figures."""
    drawn: dict[str, Figure] = {}
    find = partial(load, folder=results)
    parts = [HEAD, *(part for section in SECTIONS.values() for part in section(find, drawn)), _all(results)]
    return "\n\n".join(part for part in parts if part) + "\n", drawn


def _all(results: Path) -> str:
    """Return the section that lists every experiment."""
    rows, measured = [], set()
    for path in sorted(FOLDER.glob("*.yaml")):
        result = load(path.stem, results)
        facts = ["", "", "", ""]
        if result:
            changed = " with changes" if result.dirty else ""
            measured.add(f"{result.machine}; data {result.data}")
            facts = [f"`{result.command}`", str(len(result.runs)), f"{result.commit[:10]}{changed}", result.date]
        rows.append([f"`{path.stem}`", describe(path.stem), *facts])
    where = f"\n\nMeasured on: {'; '.join(sorted(measured))}." if measured else ""
    headers = ["experiment", "what it is", "measured by", "runs", "commit", "date"]
    return f"## All experiments\n\n{table(headers, rows)}{where}"


def main() -> int:
    """Write the page and its figures."""
    text, drawn = build()
    folder = FOLDER / "figures"
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.png"):
        if path.name not in drawn:
            path.unlink()
    for name, figure in drawn.items():
        write_atomically(folder / name, plots.to_png(figure))
    write_atomically(FOLDER / "README.md", text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
