"""The report's 50 epochs by its own algorithm and by this project: `python -m benchmarks.report_algorithm`."""

from collections.abc import Sequence
from statistics import median

import numpy as np
import numpy.typing as npt

from benchmarks import entries, report, setting
from benchmarks.agreement import TOLERANCE, relative_errors
from benchmarks.arena import Arena, Entry
from benchmarks.neighbours import Neighbours
from benchmarks.options import merged_versions, parse
from lenet.data.samplers import OnePerBlock

LOOPS = Entry("report's loops", "benchmarks.contenders.report_loops:ReportLoops")
EPOCHS, BLOCK, IMAGES = 50, 64, 60_000
STEPS = EPOCHS * -(-IMAGES // BLOCK)
"""46,900: one sample from each block of 64, 50 times through 60,000 images."""
LOOP_STEPS = 20
"""Steps of the loops in each round, from which the whole is extrapolated."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was found."""
    options = parse(arguments, __doc__)
    data = setting.load_data()
    problem = setting.make_problem(data)
    order = report_order(len(problem.images))
    ours = entries.ours(1)
    facts = report.machine()
    samples: dict[str, list[float]] = {LOOPS.name: [], ours.name: []}
    with Arena([ours, LOOPS]) as arena, Neighbours() as neighbours:
        arena.all("open", problem)
        check(arena, order[:3])
        arena.all("open", problem)
        share = -(-STEPS // options.rounds)
        for number in range(options.rounds):
            piece = order[number * share : (number + 1) * share]
            for name, taken in ((LOOPS.name, piece[:LOOP_STEPS]), (ours.name, piece)):
                samples[name].append(arena.children[name].ask("train", taken, 1) / len(taken))
        versions = merged_versions(arena)
    facts |= {"busy_for_others": round(neighbours.cores, 2)}
    steps = {name: median(found) for name, found in samples.items()}
    rows = [[name, f"{1000 * second:.3g} ms", duration(second * STEPS)] for name, second in steps.items()]
    text = "\n".join(
        [
            "# The report's 50 epochs\n",
            f"{STEPS:,} steps on single samples, one from each block of {BLOCK}. This project takes them all, on one "
            f"core; the report's per-sample, per-channel loops are extrapolated from {LOOP_STEPS * options.rounds} of "
            f"them. Medians of {options.rounds} rounds; gradients agree to {TOLERANCE:.0e}.\n",
            report.table(rows, ["", "a step", "50 epochs"]),
            f"\nRatio: **{report.ratio(steps[LOOPS.name] / steps[ours.name])}**\n",
            report.machine_line(facts, versions),
        ]
    )
    print(text)
    if not options.quick:
        found = facts | {"versions": versions, "data": data.name, "seconds_per_step": samples}
        report.write("report_algorithm", text, found)


def report_order(images: int) -> npt.NDArray[np.intp]:
    """Return the samples of all steps; smaller data is gone through more often."""
    generator = np.random.default_rng(0)
    sampler = OnePerBlock(BLOCK)
    epochs = -(-STEPS // sampler.steps(images))
    return np.concatenate([sampler.order(images, generator) for _ in range(epochs)])[:STEPS]


def check(arena: Arena, indices: npt.NDArray[np.intp]) -> None:
    """Raise `AssertionError` unless both compute the same loss and gradients."""
    (loss, gradients), (expected_loss, expected) = arena.all("gradient", indices).values()
    errors = relative_errors(gradients | {"loss": np.array(loss)}, expected | {"loss": np.array(expected_loss)})
    assert max(errors.values()) <= TOLERANCE, errors


def duration(seconds: float) -> str:
    """Write minutes where there are some."""
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    main()
