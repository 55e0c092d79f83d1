"""Whole runs on the stand-in: NumPy's bits, checkpoints that change backends, and what a step and an epoch cost."""

import re

import numpy as np
import pytest

from lenet import check, evaluate, reproduce, resume
from lenet.arrays.backend import BackendSettings
from lenet.arrays.gpu import Gpu
from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.running.experiment import execute
from lenet.running.progress import JobProgress
from tests.conftest import SMALL, Stopped, artifacts, save_digits
from tests.device.backends import formulated_alike
from tests.device.standin import StandIn
from tests.pages import ROOT
from tests.running.test_resume import CASES
from tests.sameness import arrays, figures, points
from tests.stopping import train

FAST = ("momentum", "running averages", "augmentation")
LAUNCHES = 73
"""Of a step of the default network, batch and optimizer."""


@pytest.fixture
def gpu(monkeypatch):
    """Have the stand-in found as the GPU."""
    xp = StandIn()
    monkeypatch.setattr("lenet.arrays.backend.find", lambda device: Gpu(xp, "stand-in"))
    monkeypatch.setattr("lenet.arrays.backend.check", lambda device: xp)
    return xp


@pytest.fixture
def alike(monkeypatch):
    """Have `backend=numpy` compute as `backend=cupy` does."""
    monkeypatch.setattr(BackendSettings, "_numpy", lambda self, reason: formulated_alike(str(self.dtype)))


def assert_equal(client, run, other):
    """Hold what two runs of different backends measured, saved and drew to each other, bit by bit."""
    assert run.info.status == other.info.status == "FINISHED"
    assert points(client, run) == points(client, other)
    assert arrays(run) == arrays(other)
    assert figures(run) == figures(other)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case in FAST else [pytest.mark.slow]) for case in CASES]
)
def test_a_run_has_the_bits_of_numpy(case, gpu, alike, client, records):
    assert train(*CASES[case], "backend.threads=null", "backend.name=cupy") == 0
    assert gpu.counts.launches
    assert train(*CASES[case], "backend.threads=null") == 0
    on_numpy, on_gpu = records()
    assert_equal(client, on_gpu, on_numpy)


@pytest.mark.slow
def test_all_figures_and_the_log_are_made_there_too(gpu, records):
    pictured = ["trainer.figures=all", "augmentation=affine"]
    assert train(*pictured, "backend.name=auto") == 0
    log = (artifacts(records()[0]) / "log.txt").read_text()
    assert "backend cupy, chosen by backend=auto: found stand-in" in log
    assert train(*pictured) == 0
    on_numpy, on_gpu = ({p.name for p in (artifacts(run) / "figures").iterdir()} for run in records())
    assert on_gpu == on_numpy
    assert len(on_gpu) > 6


@pytest.mark.parametrize(
    ("first", "stop"),
    [("cupy", 8), ("numpy", 8), pytest.param("cupy", 12, marks=pytest.mark.slow)],  # within an epoch, between two
)
def test_a_checkpoint_moves_to_the_other_backend(first, stop, gpu, alike, client, records, stop_at):
    every = "trainer.checkpoint_every=4steps"
    assert train(every) == 0
    stop_at(stop)
    with pytest.raises(Stopped):
        train(every, f"backend.name={first}")
    other = {"cupy": "numpy", "numpy": "cupy"}[first]
    assert resume.main(["last", f"backend.name={other}"]) == 0
    again, whole = records()
    assert_equal(client, again, whole)


def test_a_run_is_reproduced_on_the_other_backend_within_a_tolerance(gpu, records):
    assert train("backend.name=cupy") == 0
    assert reproduce.main(["last", "backend.name=numpy", "--tolerance", "1e-4"]) == 0


def test_one_more_sample_than_the_gpu_takes_at_once_goes_in_two_pieces(gpu, alike, monkeypatch, client, records):
    monkeypatch.setattr("lenet.arrays.backend.GPU_SUB_BATCH", 15)
    monkeypatch.setattr("tests.device.backends.GPU_SUB_BATCH", 15)
    assert train("backend.name=cupy") == 0
    assert train() == 0
    assert_equal(client, *records())


class Meter(JobProgress):
    """Notes what the device has done whenever a step begins."""

    def __init__(self, xp):
        super().__init__(lambda share: None, 1, 1)
        self.xp = xp
        self.steps, self.marks = [], []

    def step(self, progress):
        self.steps.append((progress.epoch, self.xp.counts))
        self.xp.counts = type(self.xp.counts)()


@pytest.fixture
def metered(gpu, workplace):
    """Return what trains the default network on 28×28 images and returns what each step, and its epoch's end, cost."""

    def run(*overrides, count=400):
        generator = np.random.default_rng(0)
        images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        np.savez(workplace / "images.npz", images=images, labels=np.arange(count) % 10)
        given = ("data=npz", "data.images=images.npz", "data.validation=0.1", "trainer.figures=none", "backend=cupy")
        meter = Meter(gpu)
        execute(build(compose_config([*given, *overrides])), display=lambda *_: meter)
        return meter.steps

    return run


def test_a_step_allocates_and_reads_nothing_and_is_the_same_operations_at_the_same_places(metered):
    steps = metered("trainer.epochs=2")
    first, second = ([counts for epoch, counts in steps if epoch == number] for number in (0, 1))
    # What is before an epoch's first step comes first in either, and buffers are made by the first step of all.
    full = [*first[2:], *second[1:]]
    assert len(full) == 3 + 4
    for counts in full:
        assert (counts.launches, counts.allocations, counts.uploads, counts.reads) == (LAUNCHES, 0, 0, 0)
        assert counts.sequence == full[0].sequence


@pytest.mark.parametrize(
    "overrides",
    [
        ["network.pooling=max", "network.activation=scaled_tanh", "optimizer=adamw"],
        ["network=lenet5_batchnorm", "optimizer.clip_norm=1", "optimizer.weight_decay=0.001"],
        ["network=lenet5_dropout", "augmentation=elastic", "loss.smoothing=0.1"],
        ["network=lenet5_1998", "loss=map", "data.scaling=lecun"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_no_step_does(overrides, metered):
    steps = metered("trainer.epochs=2", *overrides)
    third, fourth = steps[3][1], steps[4][1]
    assert (third.allocations, third.uploads, third.reads) == (0, 0, 0)
    assert third.launches > LAUNCHES
    assert third.sequence == fourth.sequence


TOLD = re.findall(r"^\| (the defaults|`.+`) \| (\d+) \|$", (ROOT / "docs/gpu.md").read_text("utf-8"), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(("options", "launches"), TOLD)
def test_the_page_tells_how_many_operations_a_step_launches(options, launches, metered):
    steps = metered("trainer.epochs=1", *([] if options == "the defaults" else options.strip("`").split()))
    assert steps[3][1].launches == int(launches)


def test_the_page_tells_it_of_many_configurations():
    assert len(TOLD) == 12


@pytest.mark.parametrize(("optimizer", "reads"), [("sgd", 3), ("momentum", 4), ("adam", 5)])
def test_an_epoch_reads_one_number_more_for_each_vector_of_the_optimizer(optimizer, reads, metered):
    steps = metered("trainer.epochs=3", "trainer.checkpoints=none", f"optimizer={optimizer}")
    assert next(counts for epoch, counts in steps if epoch == 2).reads == reads


@pytest.mark.parametrize("count", [400, 1200])
def test_an_epoch_reads_a_handful_of_numbers_and_uploads_its_order(count, metered):
    steps = metered("trainer.epochs=3", "trainer.checkpoints=none", count=count)
    second = [counts for epoch, counts in steps if epoch == 2]
    # Up to the first step of the third epoch: the second's last step, its scores, and the third's order.
    assert second[0].reads == 4  # loss and accuracy of training, then of validation; whether all is finite, twice
    assert second[0].uploads == 1
    assert sum(counts.reads + counts.uploads for counts in second[1:-1]) == 0


def test_the_data_are_uploaded_once(metered):
    steps = metered("trainer.epochs=2", "trainer.checkpoints=none")
    before_training, rest = steps[0][1], steps[1:]
    tables, weights, decay, order = (
        2 * 3,
        5,
        1,
        1,
    )  # three tables of images and labels; biases are filled where they lie
    assert before_training.uploads == tables + weights + decay + order
    assert sum(counts.uploads for _, counts in rest) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_too_little_memory_is_said_with_what_was_asked_for(gpu, workplace, records, capsys, dtype):
    gpu.memory = 3_000_000
    assert train("backend.name=cupy", f"backend.dtype={dtype}", "trainer.batch_size=60") == 1
    said = capsys.readouterr().err
    assert "the GPU has too little memory for trainer.batch_size=60" in said
    assert "Try a smaller trainer.batch_size" in said
    assert ("backend.dtype=float32" in said.partition("Try")[2]) == (dtype == "float64")
    assert "Traceback" not in said


def test_so_is_memory_that_cublas_does_not_get(gpu, workplace, records, capsys, monkeypatch):
    def fail(self, a, b, out=None):
        raise RuntimeError("CUBLAS_STATUS_ALLOC_FAILED")

    monkeypatch.setattr(StandIn, "matmul", fail)
    assert train("backend.name=cupy") == 1
    said = capsys.readouterr().err
    assert "the GPU has too little memory for trainer.batch_size=" in said
    assert "Traceback" not in said


def test_so_is_memory_that_runs_out_when_a_run_is_scored_or_a_network_checked(gpu, workplace, records, capsys):
    assert train() == 0
    gpu.memory = 400_000
    assert evaluate.main(["last", "backend.name=cupy"]) == 1
    assert re.search(r"the GPU has too little memory for [\d,]+ images of the data", capsys.readouterr().err)
    save_digits(workplace / "digits.npz")
    assert check.main([*SMALL[:2], "backend=cupy", "trainer.batch_size=512"]) == 1
    assert "the GPU has too little memory for trainer.batch_size=512" in capsys.readouterr().err


def test_a_run_is_scored_with_it_as_by_numpy(gpu, workplace, records, capsys):
    assert train() == 0
    capsys.readouterr()
    for name in ("cupy", "numpy"):
        assert evaluate.main(["last", f"backend.name={name}"]) == 0
    metrics = records()[0].data.metrics
    for key in ("loss", "accuracy", "calibration_error"):
        assert metrics[f"evaluation/digits/{key}"] == pytest.approx(metrics[f"evaluation/digits-2/{key}"], rel=1e-4)


def test_layers_are_checked_and_timed_with_it(gpu, workplace, capsys):
    save_digits(workplace / "digits.npz")
    assert check.main([*SMALL[:2], "backend=cupy"]) == 0
    assert capsys.readouterr().out.count("right") == 13
    assert gpu.counts.reads  # each time it was waited for
