"""Training on a GPU here and in PyTorch, eager and compiled, side by side: `python -m benchmarks.gpu`."""

import sys
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks import entries, report, setting
from benchmarks.agreement import check_agreement
from benchmarks.arena import Arena, Entry
from benchmarks.neighbours import Neighbours
from benchmarks.options import merged_versions, parse
from benchmarks.train_step import throughput_of
from lenet.arrays.gpu import GpuMissing, find

BATCHES = (16, 64, 256, 1024, 4096)
ACTIVITIES = ("kernels", "launches", "uploads", "reads", "waits")
ENTRIES = (
    Entry(f"{entries.OURS}, CuPy", "benchmarks.contenders.lenet_cupy:LeNetCupy", library="cupy"),
    Entry("PyTorch eager", "benchmarks.contenders.torch_cuda:TorchCuda", {"compiled": False}, library="torch"),
    Entry("PyTorch compiled", "benchmarks.contenders.torch_cuda:TorchCuda", {"compiled": True}, library="torch"),
)

Table = dict[int, dict[str, Any]]
"""By batch and contender: samples a second, bytes, or activities by name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was found."""
    options = parse(arguments, __doc__, batches=BATCHES)
    try:
        find(0)
    except GpuMissing as missing:
        sys.exit(f"There is no GPU to measure: {missing}; {missing.remedy}.")
    data = setting.load_data()
    problem = setting.make_problem(data)
    samples: dict[int, dict[str, list[float]]] = {}
    memory: Table = {}
    activity: Table = {}
    with Arena(entries.installed(list(ENTRIES))) as arena:
        arena.all("open", problem)
        versions = merged_versions(arena)
        worst = check_agreement(arena, problem)
        print(f"Loss, gradients and weights after three steps agree: at most {worst:.0e} apart, relative to the norm.")
        with Neighbours() as neighbours:
            for batch in [each for each in options.batches if each <= len(problem.images)]:
                print(f"batch {batch}", flush=True)
                samples[batch] = {name: [] for name in arena.children}
                for number in range(options.rounds):
                    for name, rate in arena.round(number, throughput_of(batch, options.seconds)).items():
                        samples[batch][name].append(rate)
                memory[batch] = arena.all("memory")
                activity[batch] = arena.all("activity", batch)
    rates: Table = {batch: {name: median(each) for name, each in found.items()} for batch, found in samples.items()}
    facts = report.machine() | {"busy_for_others": round(neighbours.cores, 2)}
    text = describe(rates, memory, activity, f"{data.name}, {options.rounds} rounds of {options.seconds} s")
    text += report.machine_line(facts, versions)
    print(f"\n{text}")
    if not options.quick:
        found = {"samples_per_second": samples, "bytes": memory, "activity": activity}
        report.write("gpu", text, facts | {"versions": versions, "data": data.name, "rounds": found})


def describe(rates: Table, memory: Table, activity: Table, how: str) -> str:
    """Return the page: throughputs and ratios, memory, and what a step has the GPU do."""
    names = list(next(iter(rates.values())))
    heads = [f"batch {batch}" for batch in rates]

    def rows(table: Table, write: Any) -> list[list[str]]:
        return [[name, *(write(table[batch][name]) for batch in table)] for name in names]

    others = [name for name in names if not name.startswith(entries.OURS)]
    ours = names[0]
    ratios = [
        [f"{ours} / {other}", *(report.ratio(rates[batch][ours] / rates[batch][other]) for batch in rates)]
        for other in others
    ]
    parts = [
        "# Training on a GPU\n",
        "Thousand samples a second, medians; each batch is gathered from uint8 images on the GPU by indices that are "
        f"sent for each step; default network, momentum, float32 without TF32; {how}.\n",
        report.table(rows(rates, report.thousands) + ratios, ["", *heads]),
        "\n## Memory set apart on the GPU, MB, the data set included; it grows with the batches already tried\n",
        report.table(rows(memory, lambda size: f"{size / 1e6:.0f}"), ["", *heads]),
        "\n## What a step has the GPU do: kernels / launches by the host / uploads / reads / waits of the host\n",
        report.table(rows(activity, _activity), ["", *heads]),
        "",
    ]
    return "\n".join(parts) + "\n"


def _activity(counts: Mapping[str, float]) -> str:
    return " / ".join(f"{counts[name]:g}" for name in ACTIVITIES)


if __name__ == "__main__":
    main()
