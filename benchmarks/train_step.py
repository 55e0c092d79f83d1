"""Training throughput of this project, PyTorch and JAX, side by side: `python -m benchmarks.train_step`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import entries, floor, report, setting
from benchmarks.agreement import check_agreement
from benchmarks.arena import Arena, Child
from benchmarks.neighbours import Neighbours
from benchmarks.options import merged_versions, parse

Samples = dict[str, list[float]]
"""What each contender measured in each round."""

FLOOR_BATCH = 64
"""The batch at which the share of the floor is told, where it was measured."""


@dataclass(frozen=True)
class Outcome:
    """Medians of the rounds: samples per second by batch and contender, and each shape's sgemm rate on one core."""

    throughput: dict[int, dict[str, float]]
    sgemm: dict[str, float]
    flops: int

    def best(self, batch: int, ours: bool) -> tuple[str, float]:
        """Return the fastest of this project's entries or of the others, by name and rate."""
        rates = self.throughput[batch].items()
        sides = [(name, rate) for name, rate in rates if name.startswith(entries.OURS) == ours]
        return max((side for side in sides if not side[0].endswith(entries.BY_HAND)), key=lambda side: side[1])

    @property
    def peak(self) -> tuple[str, float]:
        """The fastest product: its shape, and its floating-point operations per second."""
        return max(self.sgemm.items(), key=lambda item: item[1])

    def floor_share(self, batch: int) -> float:
        """Return how much of one core's sgemm rate this project's steps reach on one core."""
        return self.throughput[batch][entries.ours(1).name] * self.flops / self.peak[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was found."""
    options = parse(arguments, __doc__, batches=(1, 64, 256))
    data = setting.load_data()
    problem = setting.make_problem(data)
    contenders = entries.installed([entries.ours(1), entries.ours(2), *entries.pytorch(), *entries.jax()])
    facts = report.machine()
    with Arena(contenders) as arena, Arena([floor.ENTRY]) as floor_arena:
        arena.all("open", problem)
        versions = merged_versions(arena)
        worst = check_agreement(arena, problem)
        print(f"Loss, gradients and weights after three steps agree: at most {worst:.0e} apart, relative to the norm.")
        samples: dict[int, Samples] = {batch: {name: [] for name in arena.children} for batch in options.batches}
        rates: list[dict[str, float]] = []
        with Neighbours() as neighbours:
            for number in range(options.rounds):
                print(f"round {number + 1} of {options.rounds}", flush=True)
                rates.append(floor_arena.children[floor.ENTRY.name].ask("rates", options.seconds))
                for batch in options.batches:
                    for name, rate in arena.round(number, throughput_of(batch, options.seconds)).items():
                        samples[batch][name].append(rate)
    facts |= {"busy_for_others": round(neighbours.cores, 2)}
    outcome = Outcome(
        {batch: {name: median(found) for name, found in each.items()} for batch, each in samples.items()},
        {shape: median(rate[shape] for rate in rates) for shape in rates[0]},
        floor.flops_per_sample(setting.summaries()),
    )
    text = describe(outcome, f"{data.name}, {len(problem.images):,} images", facts, versions, options)
    print(f"\n{text}")
    if options.quick:
        return
    found = {"samples_per_second": samples, "sgemm_flops_per_second": rates, "flops_per_sample": outcome.flops}
    report.write("train_step", text, facts | {"versions": versions, "data": data.name, "rounds": found})
    groups = {
        f"batch {batch}": {name: rate / 1000 for name, rate in rates.items()}
        for batch, rates in outcome.throughput.items()
    }
    note = f"{facts['cpu']}, {facts['usable_cores']} cores, {facts['date']}"
    title = "Training LeNet-5 on the CPU, float32"
    report.bars(report.RESULTS / "train_step.png", title, "thousand samples/s", groups, entries.OURS, note)


def throughput_of(batch: int, seconds: float) -> Any:
    """Return what asks a child for its throughput."""

    def measure(child: Child) -> float:
        return float(child.ask("throughput", batch, seconds))

    return measure


def describe(
    outcome: Outcome, data: str, facts: Mapping[str, Any], versions: Mapping[str, str], options: argparse.Namespace
) -> str:
    """Return the page: the throughputs, the ratios, and the floor."""
    batches = list(outcome.throughput)
    names = list(outcome.throughput[batches[0]])
    rows = [[name, *(report.thousands(outcome.throughput[batch][name]) for batch in batches)] for name in names]
    parts = [
        "# Training throughput\n",
        f"Thousand samples a second, median of {options.rounds} rounds of {options.seconds} s, in which the contenders "
        "take turns. A step gathers its batch from the uint8 images, scales it, and makes forward pass, loss, backward "
        f"pass and momentum step; default network, float32; {data}.\n",
        report.table(rows, ["", *(f"batch {batch}" for batch in batches)]),
        "",
    ]
    if any(not name.startswith(entries.OURS) for name in names):
        ratios = []
        for batch in batches:
            (our_name, ours), (their_name, theirs) = outcome.best(batch, ours=True), outcome.best(batch, ours=False)
            ratios.append([batch, our_name, their_name, report.ratio(ours / theirs)])
        parts += [report.table(ratios, ["batch", "our best", "their best", "ratio"]), ""]
        if any(name.endswith(entries.BY_HAND) for name in names):
            parts += ["The ratios leave out the convolution unfolded by hand, which is not its library's own.\n"]
    shape, peak = outcome.peak
    rates = ", ".join(f"{shape} {rate / 1e9:.0f}" for shape, rate in outcome.sgemm.items())
    batch = FLOOR_BATCH if FLOOR_BATCH in batches else batches[0]
    parts += [
        f"The floor: a step's products are {outcome.flops / 1e6:.2f} MFLOP a sample, and one core's sgemm reaches "
        f"{peak / 1e9:.0f} GFLOP/s at its best ({shape}), which would be {report.thousands(peak / outcome.flops)} "
        f"thousand samples a second. On one core this project reaches **{outcome.floor_share(batch):.0%}** of that at "
        f"batch {batch}. (GFLOP/s by M·N·K: {rates}.)\n",
        report.machine_line(facts, versions),
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
