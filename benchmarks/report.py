"""What a benchmark leaves: tables in Markdown, the numbers in JSON, and a bar chart."""

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from tabulate import tabulate

from lenet.recorded import environment

RESULTS = Path(__file__).resolve().parent / "results"


def table(rows: Sequence[Sequence[Any]], headers: Sequence[str]) -> str:
    """Return a Markdown table; numbers, and texts that begin with one, stand to the right."""
    right = [
        any(isinstance(row[column], int | float) or str(row[column])[:1].isdigit() for row in rows)
        for column in range(len(headers))
    ]
    align = ["right" if is_right else "left" for is_right in right]
    return tabulate(rows, headers=headers, tablefmt="github", colalign=align, disable_numparse=True)


def thousands(rate: float) -> str:
    """Write samples per second in thousands, to three figures: 1.53, 38.2, 105."""
    value = rate / 1000
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def ratio(value: float) -> str:
    """Write how many times as fast."""
    return f"{value:.2f} ×" if value < 10 else f"{value:.0f} ×"


def machine() -> dict[str, Any]:
    """Return what the numbers were measured on, ready for JSON."""
    facts = environment.describe()
    return {
        "date": date.today().isoformat(),
        "cpu": facts["cpu"]["model"],
        "usable_cores": facts["cpu"]["usable_cores"],
        "os": facts["os"]["name"],
        "python": platform.python_version(),
        "commit": facts["git"]["commit"],
        "dirty": facts["git"]["dirty"],
    }


def machine_line(facts: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Return the line that says what and where was measured."""
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
    commit = f"{str(facts['commit'])[:10]}{' with changes' if facts['dirty'] else ''}"
    return (
        f"{facts['date']}, commit {commit}; {facts['cpu']}, {facts['usable_cores']} cores, of which other processes "
        f"kept {facts['busy_for_others']} busy; {facts['os']}, Python {facts['python']}, {libraries}."
    )


def write(name: str, text: str, data: Mapping[str, Any], folder: Path = RESULTS) -> None:
    """Write `NAME.md` and `NAME.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text.rstrip() + "\n", encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def bars(
    path: Path, title: str, label: str, groups: Mapping[str, Mapping[str, float]], ours: str, note: str = ""
) -> None:
    """Draw a panel of horizontal bars for each group, each bar with its value; this project's are dark."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = max(len(values) for values in groups.values())
    figure, axes = pyplot.subplots(
        1, len(groups), figsize=(1.4 + 3.1 * len(groups), 0.9 + 0.32 * rows), sharey=True, squeeze=False
    )
    for axis, (group, values) in zip(axes[0], groups.items(), strict=True):
        names = list(values)
        colours = ["#1f4e79" if name.startswith(ours) else "#b8c4d0" for name in names]
        drawn = axis.barh(names, list(values.values()), color=colours, height=0.72)
        axis.bar_label(drawn, [f"{value:.3g}" for value in values.values()], padding=3, fontsize=8)
        axis.set_title(group, fontsize=10)
        axis.set_xlim(0, 1.2 * max(values.values()))
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        axis.set_xlabel(label, fontsize=8)
    axes[0][0].invert_yaxis()
    figure.suptitle(title, fontsize=11)
    if note:
        figure.text(0.995, 0.005, note, ha="right", va="bottom", fontsize=6, color="#666666")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
