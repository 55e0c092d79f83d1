"""What `python -m lenet.run` costs as a whole, and until its first step."""

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median

from benchmarks import first_step, process, report
from benchmarks.arena import ROOT, clean_environment

RUN = [sys.executable, "-m", "lenet.run"]
FIRST_STEP = [sys.executable, "-m", "benchmarks.first_step", "trainer.epochs=1"]
IMPORTS = [sys.executable, "-c", "import mlflow, hydra, numpy"]

MEGABYTE = 1e6

Usages = dict[str, list[dict[str, float]]]


def measure(rounds: int, mnist: str | None) -> tuple[Usages, dict[str, list[float]]]:
    """Return what whole runs took, by command, and the CPU seconds of starting and of the imports alone.

    `mnist` is the folder of full MNIST, if there is one; its run is measured once, for two epochs: its memory does not
    depend on their number.
    """
    usages: Usages = {}
    starts: dict[str, list[float]] = {"until the first step": [], "imports alone": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = clean_environment(
            {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        )
        process.run([*RUN, "trainer.epochs=1"], folder, environment, memory=False)  # makes the store, warms the caches
        process.cpu_until(FIRST_STEP, folder, environment, first_step.LINE)
        for _ in range(rounds):
            cpu = process.cpu_until(FIRST_STEP, folder, environment, first_step.LINE)
            starts["until the first step"].append(cpu)
            starts["imports alone"].append(process.run(IMPORTS, folder, environment, memory=False).cpu)
            usages.setdefault("python -m lenet.run", []).append(asdict(process.run(RUN, folder, environment)))
        if mnist:
            arguments = ["data=mnist", f"data.root={mnist}", "trainer.epochs=2"]
            usages["… data=mnist trainer.epochs=2"] = [asdict(process.run([*RUN, *arguments], folder, environment))]
    return usages, starts


def describe(usages: Usages, starts: dict[str, list[float]]) -> str:
    """Return the section: a table of whole runs, and the start."""

    def seconds(found: list[dict[str, float]], key: str) -> str:
        return f"{median(one[key] for one in found):.1f} s"

    def megabytes(found: list[dict[str, float]], key: str) -> str:
        return f"{median(one[key] for one in found) / MEGABYTE:.0f} MB"

    rows = []
    for command, found in usages.items():
        times = seconds(found, "wall"), seconds(found, "cpu")
        rows.append([command, len(found), *times, megabytes(found, "pss"), megabytes(found, "largest_rss")])
    headers = ["command", "runs", "wall", "CPU", "peak memory", "largest process"]
    cpu = {name: median(found) for name, found in starts.items()}
    started, imports = cpu["until the first step"], cpu["imports alone"]
    return (
        "## Whole runs\n\nMedians. Peak memory is the highest sum of PSS over all processes of the run, the largest "
        f"process its highest single RSS.\n\n{report.table(rows, headers)}\n\n"
        f"Until its first step, in an existing store, `python -m lenet.run` takes {started:.2f} s of CPU; "
        f"`import mlflow, hydra, numpy` alone takes {imports:.2f} s: **{started / imports:.2f} ×** "
        f"(medians of {len(starts['imports alone'])}).\n"
    )
