"""Evaluation, whole runs, and the time to 99.0 % on full MNIST: `python -m benchmarks.whole_run`."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks import commands, entries, evaluation, report, setting, time_to_accuracy
from benchmarks.arena import Arena
from benchmarks.neighbours import Neighbours
from benchmarks.options import merged_versions, parse


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was found."""
    options = parse(arguments, __doc__)
    data = setting.load_data()
    full = len(data.train_images) == 60_000
    problem = setting.make_problem(data)
    facts = report.machine()
    found: dict[str, Any] = {}
    with Neighbours() as neighbours:
        print("whole runs …", flush=True)
        usages, starts = commands.measure(options.rounds, os.environ.get("LENET_DATA") if full else None)
        found |= {"runs": usages, "cpu_seconds": starts}
        sections = [commands.describe(usages, starts)]
        with Arena(entries.installed([entries.ours(1), entries.ours(2), *entries.pytorch()])) as arena:
            print("evaluation …", flush=True)
            arena.all("open", evaluation.scored(problem))
            rates = evaluation.measure(arena, options.rounds, options.seconds)
            found["evaluation"] = rates
            sections.insert(0, evaluation.describe(rates))
            if full and not options.quick:
                print("time to accuracy …", flush=True)
                races = time_to_accuracy.measure(arena, problem, options.rounds, options.seconds)
                found["time_to_accuracy"] = [[asdict(run) for run in runs] for runs in races]
                sections.append(time_to_accuracy.describe(races, len(problem.images)))
            elif not full:
                sections.append(
                    "Full MNIST is not under $LENET_DATA: neither its run nor the time to 99.0 % is measured.\n"
                )
            versions = merged_versions(arena)
    facts |= {"busy_for_others": round(neighbours.cores, 2)}
    text = "\n".join(["# Evaluation and whole runs\n", *sections, report.machine_line(facts, versions)])
    print(f"\n{text}")
    if not options.quick:
        report.write("whole_run", text, facts | {"versions": versions, "data": data.name, "found": found})


if __name__ == "__main__":
    main()
