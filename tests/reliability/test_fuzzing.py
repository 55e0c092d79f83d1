"""Ten thousand wrong inputs: each is refused with one message or is really valid, soon, and in bounded memory."""

import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from tests.reliability.conftest import Report
from tests.reliability.fuzzing.campaign import make
from tests.reliability.fuzzing.judge import MEMORY, SECONDS, Target, judge

ROOT = Path(__file__).resolve().parents[2]

SMOKE = {
    "idx_images": 100,
    "idx_labels": 100,
    "npz": 100,
    "checkpoint": 100,
    "image": 100,
    "table": 100,
    "stored": 20,
    "yaml": 4,
    "overrides": 6,
}
FULL = {
    "idx_images": 1500,
    "idx_labels": 1000,
    "npz": 2000,
    "checkpoint": 1600,
    "image": 2000,
    "table": 1500,
    "stored": 1600,
    "yaml": 250,
    "overrides": 500,
}
LANES = (["overrides"], [kind for kind in FULL if kind != "overrides"])
"""What takes long, as Hydra composes each time, beside all the rest."""


def run_campaign(counts: dict[str, int], seconds: float) -> list[dict]:
    """Have a process of its own try so many inputs of each kind, and return what it tells of each."""
    command = [sys.executable, "-m", "tests.reliability.fuzzing.campaign"]
    command += [f"{kind}={times}" for kind, times in counts.items()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-6000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def hold(told: list[dict], counts: dict[str, int]) -> None:
    """Hold a campaign to having tried what it should, with inputs of both fates."""
    assert len(told) == len(counts)
    for kind, times in zip(told, counts.values(), strict=True):
        assert kind["inputs"] >= times
        assert kind["refused"]
        assert kind["memory"] < MEMORY
    assert sum(kind["accepted"] for kind in told) > 0


@pytest.mark.slow
def test_some_hundred_wrong_inputs_are_refused_or_valid():
    hold(run_campaign(SMOKE, 300), SMOKE)


@pytest.mark.slow
def test_ten_thousand_wrong_inputs_are_refused_or_valid(report: Report):
    assert sum(FULL.values()) > 10_000
    lanes = [{kind: FULL[kind] for kind in lane} for lane in LANES]
    with ThreadPoolExecutor() as pool:
        told = list(pool.map(lambda counts: run_campaign(counts, 1800), lanes))
    for found, counts in zip(told, lanes, strict=True):
        hold(found, counts)
    for kind in sorted((kind for found in told for kind in found), key=lambda kind: kind["kind"].lower()):
        assert kind["accepted"]
        report(
            "Loaded",
            f"{kind['kind']}, mutated, half of them by Hypothesis, half towards new lines",
            kind["inputs"],
            f"{kind['refused']:,} refused with one message, {kind['accepted']:,} accepted and valid; "
            f"largest memory +{kind['memory'] / 2**20:.0f} MiB, each within {SECONDS:.0f} s",
        )


@pytest.fixture
def images(tmp_path: Path) -> Target:
    return make("image", tmp_path)


def test_the_largest_image_is_read_within_the_memory_that_is_stated(images):
    """RGBA, turned by its EXIF tag: nothing that is accepted takes more."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGBA", (4096, 4096)).save(file, "PNG", exif=exif)
    assert judge(images, file.getvalue()).accepted
