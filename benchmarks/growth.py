"""How cost grows with data, batch and width, here and in PyTorch: `python -m benchmarks.growth`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks import entries, report, setting
from benchmarks.arena import Arena
from benchmarks.neighbours import Neighbours
from benchmarks.options import merged_versions, parse
from benchmarks.problem import Problem

SIZES = (5_000, 15_000, 60_000)
BATCHES = (1, 4, 16, 64, 256, 1024)
WIDTHS = (1, 2, 4)
BATCH = 64
EPOCH = 60_000

Best = dict[str, float]
"""Seconds of an epoch, of the fastest of this project's entries (`lenet`) and of PyTorch's (`PyTorch`)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was found."""
    options = parse(arguments, __doc__)
    data = setting.load_data()
    problem = setting.make_problem(data)
    sizes = [size for size in SIZES if size <= len(problem.images)] or [len(problem.images)]
    facts = report.machine()
    with Arena(entries.installed([entries.ours(1), entries.ours(2), *entries.pytorch()])) as arena:

        def epoch(of: Problem, batch: int, images: int) -> Best:
            arena.all("open", of)
            return fastest(arena, batch, images, options.rounds, options.seconds)

        with Neighbours() as neighbours:
            print("data size …", flush=True)
            by_size = {size: epoch(cut(problem, size), BATCH, size) for size in sizes}
            print("batch …", flush=True)
            by_batch = {batch: epoch(problem, batch, EPOCH) for batch in BATCHES if batch <= len(problem.images)}
            print("width …", flush=True)
            by_width = {width: epoch(setting.widened(problem, width), BATCH, EPOCH) for width in WIDTHS}
        versions = merged_versions(arena)
    facts |= {"busy_for_others": round(neighbours.cores, 2)}
    text = "\n".join(
        [
            "# How cost grows\n",
            f"Seconds of an epoch, from the training throughput (median of {options.rounds} rounds of "
            f"{options.seconds} s), here and in PyTorch, each at its fastest on one or two cores in either layout.\n",
            f"## Data: an epoch over so many images, batch {BATCH}\n",
            describe(by_size, "images", "{:,}".format),
            f"## Batch: {EPOCH:,} images\n",
            describe(by_batch, "batch", str),
            f"## Width: {EPOCH:,} images, batch {BATCH}, so many times the channels and hidden features\n",
            describe(by_width, "width", "×{}".format),
            report.machine_line(facts, versions),
        ]
    )
    print(f"\n{text}")
    if not options.quick:
        found = {"data": by_size, "batch": by_batch, "width": by_width}
        report.write("growth", text, facts | {"versions": versions, "seconds_per_epoch": found})
        draw(
            report.RESULTS / "growth.png", {"images": by_size, f"batch, {EPOCH:,} images": by_batch, "width": by_width}
        )


def cut(problem: Problem, size: int) -> Problem:
    """Return the problem on its first images only."""
    return replace(problem, images=problem.images[:size], labels=problem.labels[:size])


def fastest(arena: Arena, batch: int, images: int, rounds: int, seconds: float) -> Best:
    """Return the seconds that each side's fastest takes for so many images."""
    found = [arena.round(number, lambda child: child.ask("throughput", batch, seconds)) for number in range(rounds)]
    best: Best = {}
    for name in arena.children:
        side = entries.OURS if name.startswith(entries.OURS) else "PyTorch"
        taken = images / median(one[name] for one in found)
        best[side] = min(taken, best.get(side, taken))
    return best


def describe(best: Mapping[int, Best], what: str, write: Callable[[int], str]) -> str:
    """Return a table: one line for each case."""
    sides = list(next(iter(best.values())))
    rows = []
    for case, seconds in best.items():
        row = [write(case), *(f"{seconds[side]:.3g} s" for side in sides)]
        rows.append(row + [report.ratio(seconds[sides[1]] / seconds[sides[0]])] * (len(sides) == 2))
    return report.table(rows, [what, *sides, "ratio"][: len(rows[0])]) + "\n"


def draw(path: Path, cases: Mapping[str, Mapping[int, Best]]) -> None:
    """Draw seconds over each quantity, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(cases), figsize=(10, 3.2), squeeze=False)
    for axis, (what, best) in zip(axes[0], cases.items(), strict=True):
        for side in next(iter(best.values())):
            colour = "#1f4e79" if side == entries.OURS else "#8a97a5"
            axis.loglog(list(best), [seconds[side] for seconds in best.values()], "o-", label=side, color=colour)
        axis.set_xticks(list(best), [f"{case:,}" for case in best], fontsize=8)
        axis.minorticks_off()
        axis.set_xlabel(what, fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("seconds of an epoch", fontsize=9)
    axes[0][0].legend(fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
