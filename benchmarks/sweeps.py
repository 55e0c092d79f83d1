"""What a sweep makes of the machine, and how it grows: `python -m benchmarks.sweeps`.

Eight runs as one sweep are compared with the same runs one after the other on one thread, all as whole commands in
turns, and the weights of both, bit for bit. Then sweeps of ever more tiny jobs: what a job costs in time and on disk,
and how long MLflow's server takes to answer what its page of charts asks for.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import process, report
from benchmarks.neighbours import Neighbours
from benchmarks.options import parse
from lenet.arrays.backend import usable_cores
from lenet.tracking.finding import Finder
from lenet.tracking.record import KIND, RunRecord
from lenet.tracking.store import Store

RUN = (sys.executable, "-m", "lenet.run")
LIBRARIES = {"NumPy": "numpy", "Hydra": "hydra-core", "MLflow": "mlflow"}
SEEDS = 8
JOBS = (1, 10, 100, 1000)
JOBS_WITH_FIGURES = (1, 10, 100)
TINY = ("data=npz", "data.images=digits.npz", "trainer.epochs=1", "trainer.batch_size=16", "backend=numpy")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was found."""
    options = parse(arguments, __doc__)
    facts = report.machine()
    with Neighbours() as neighbours:
        beside = measure_beside(2 if options.quick else SEEDS)
        grown = [measure_growth(jobs, "none") for jobs in (JOBS[:2] if options.quick else JOBS)]
        drawn = [measure_growth(jobs, "basic") for jobs in (JOBS[:2] if options.quick else JOBS_WITH_FIGURES)]
    facts |= {"busy_for_others": round(neighbours.cores, 2)}
    versions = {name: version(package) for name, package in LIBRARIES.items()}
    found = {"beside": beside, "growth": grown, "growth_with_figures": drawn}
    text = "\n".join(
        ["# Sweeps\n", describe_beside(beside), describe_growth(grown, drawn), report.machine_line(facts, versions)]
    )
    print(f"\n{text}")
    if not options.quick:
        report.write("sweeps", text, facts | {"versions": versions, "found": found})


def measure_beside(seeds: int) -> dict[str, Any]:
    """Time the defaults at some seeds, each alone on one thread, and all as a sweep in the middle and at the end."""
    with TemporaryDirectory() as place:
        folder = _workplace(Path(place))
        alone, sweeps = [], []
        for seed in range(seeds):
            print(f"alone, seed {seed} …", flush=True)
            alone.append(_run(folder, "backend.threads=1", f"seed={seed}"))
            if seed in (seeds // 2 - 1, seeds - 1):
                print("as a sweep …", flush=True)
                sweeps.append(_run(folder, f"seed=range(0,{seeds})", "-m"))
        runs = Finder(_uri(folder)).search("")
        weights = [[_weights(folder, r) for r in runs if r.params.get("seed") == str(seed)] for seed in range(seeds)]
    equal = all(len(found) == 3 and found[0] == found[1] == found[2] for found in weights)
    durations = [(run.end or run.start) - run.start for run in runs if run.tags[KIND] == "run"]
    return {"alone": alone, "sweeps": sweeps, "bitwise": equal, "run_seconds": durations, "cores": usable_cores()}


def describe_beside(found: dict[str, Any]) -> str:
    """Return the section on runs beside one another."""
    together, share = min(found["sweeps"]), sum(found["alone"]) / found["cores"]
    return (
        f"## {len(found['alone'])} runs on {found['cores']} cores\n\n"
        f"The defaults at seeds 0 … {len(found['alone']) - 1}, as commands: one after the other with "
        f"`backend.threads=1` they take {sum(found['alone']):.1f} s, as one sweep "
        f"{' and '.join(f'{wall:.1f} s' for wall in found['sweeps'])}: **{together / share:.2f} ×** that sum's share "
        f"of a core ({max(found['sweeps']) / share:.2f} × in the slower of the two). Without what a command costs to "
        f"start and to end, the single runs take {sum(found['run_seconds']):.1f} s, of which the sweep takes "
        f"{together / sum(found['run_seconds']) * found['cores']:.2f} × a core's share. The weights are "
        f"{'the same to the last bit' if found['bitwise'] else '**not the same**'}.\n"
    )


def measure_growth(jobs: int, figures: str) -> dict[str, Any]:
    """Run a sweep of so many tiny jobs in a store of its own; return what it took, and how long its page takes."""
    print(f"{jobs} tiny jobs, figures: {figures} …", flush=True)
    with TemporaryDirectory() as place:
        folder = _workplace(Path(place))
        wall = _run(folder, *TINY, f"trainer.figures={figures}", f"seed=range(0,{jobs})", "-m")
        files = [path.stat().st_size for path in (folder / "mlruns").rglob("*") if path.is_file()]
        database = (folder / "mlflow.db").stat().st_size
        with _server(folder) as address:
            page = median(_ask(address, jobs) for _ in range(5))
    return {
        "jobs": jobs,
        "wall": wall,
        "database": database,
        "artifacts": sum(files),
        "files": len(files),
        "page": page,
    }


def describe_growth(grown: Sequence[dict[str, Any]], drawn: Sequence[dict[str, Any]]) -> str:
    """Return the section on ever more jobs."""
    rows = []
    for figures, found in (("none", grown), ("basic", drawn)):
        for before, entry in zip([None, *found[:-1]], found, strict=True):
            each = (entry["wall"] - before["wall"]) / (entry["jobs"] - before["jobs"]) if before else None
            rows.append(
                [
                    figures,
                    f"{entry['jobs']:,}",
                    f"{entry['wall']:.1f} s",
                    f"{each:.3f} s" if each is not None else "",
                    f"{entry['database'] / entry['jobs'] / 1000:.0f} kB",
                    f"{entry['artifacts'] / entry['jobs'] / 1000:.0f} kB",
                    f"{entry['page'] * 1000:.0f} ms",
                ]
            )
    headers = ["figures", "jobs", "wall", "each further job", "database a job", "artifacts a job", "page of 100 runs"]
    return (
        "## Ever more jobs\n\nOne epoch on 120 images of 16×16: all but a few milliseconds of a job is overhead.\n\n"
        f"{report.table(rows, headers)}\n"
    )


def _workplace(folder: Path) -> Path:
    """Ready a folder with a store, as all sweeps but the first find it, and the data of tiny jobs."""
    Store(_uri(folder), "lenet")
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 3
    np.savez(folder / "digits.npz", images=generator.integers(0, 256, (120, 16, 16), np.uint8), labels=labels)
    return folder


def _uri(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def _run(folder: Path, *arguments: str) -> float:
    return process.run([*RUN, *arguments], folder, os.environ, memory=False).wall


def _weights(folder: Path, run: RunRecord) -> dict[str, bytes]:
    with np.load(next(folder.glob(f"mlruns/*/{run.id}/artifacts/checkpoints/last.npz"))) as arrays:
        return {name: arrays[name].tobytes() for name in arrays if name.startswith("param/")}


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Serve the store in `folder` on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", _uri(folder)]
    quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(command, cwd=folder, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()


def _ask(address: str, jobs: int) -> float:
    """Return the seconds that the server takes for the first 100 runs, sorted by a metric, as its page asks."""
    body = {"experiment_ids": ["1"], "max_results": 100, "order_by": ["metrics.`val/accuracy` DESC"]}
    request = urllib.request.Request(
        f"{address}/ajax-api/2.0/mlflow/runs/search",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    started = time.perf_counter()
    with urllib.request.urlopen(request) as answer:
        runs = json.load(answer)["runs"]
    seconds = time.perf_counter() - started
    assert len(runs) == min(100, jobs + 1)
    return seconds


if __name__ == "__main__":
    main()
