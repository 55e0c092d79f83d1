"""A batch in sub-batches is the batch, to the last bit for any number of workers."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from lenet.data.augmentation import Augmentation, Distortion
from lenet.data.loader import ImageTable
from lenet.layers import AvgPool2d, BatchNorm, Conv2d, Dropout, Flatten, Linear, ReLU
from lenet.losses import CrossEntropy
from lenet.network import Network
from lenet.training.crew import Crew, CrewError
from lenet.training.engine import LANES, Engine
from tests.helpers import backend, cross_entropy


def engine(threads: int, dtype: str = "float64", count: int = 1200) -> Engine:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, 1, 8, 9)).astype(np.uint8)
    labels = generator.integers(0, 4, count)
    on = backend(dtype, threads)
    layers = [Conv2d(3, 3, padding=1), ReLU(), AvgPool2d(2), Flatten(), Linear(4)]
    network = Network(layers, (1, 8, 9), 4, on)
    network.initialize("he_normal", generator)
    return Engine(network, {"train": ImageTable(images, labels, 30.0, 70.0, on)}, CrossEntropy(), on)


def whole_batch(engine: Engine, indices: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Return loss, accuracy and gradient of a batch computed in one piece, by the network alone."""
    table, loss, network = engine.tables["train"], cross_entropy(engine.backend), engine.network.replica()
    images, labels = table.batch(indices, engine._workspace)
    logits = network.forward(images)
    value = loss.forward(logits, labels).mean()
    network.backward(loss.backward(1 / len(indices)))
    return value, (logits.argmax(axis=1) == labels).mean(), network.gradient


@pytest.mark.parametrize("batch", [1, 31, 32, 33, 100, 32 * LANES + 5, 1200])
@pytest.mark.parametrize("threads", [1, 2])
def test_sub_batches_add_up_to_the_batch(batch, threads):
    indices = np.random.default_rng(1).permutation(1200)[:batch]
    with engine(threads) as e:
        (loss, accuracy), gradient = e.gradient("train", indices)
        expected = whole_batch(e, indices)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-12)
    assert accuracy == pytest.approx(expected[1], abs=1e-12)
    np.testing.assert_allclose(gradient, expected[2], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch", [20, 64, 1200])
def test_the_bits_do_not_depend_on_the_number_of_workers(batch):
    indices = np.random.default_rng(1).permutation(1200)[:batch]
    results = []
    for threads in (1, 2, 3, 5):
        with engine(threads, "float32") as e:
            (loss, accuracy), gradient = e.gradient("train", indices)
            scores = e.score("train")
            results.append((float(loss), float(accuracy), gradient.tobytes(), scores.losses.tobytes()))
    assert results == [results[0]] * 4


def test_the_curvature_is_the_mean_of_that_of_each_image():
    indices = np.random.default_rng(1).integers(1200, size=70)  # in three sub-batches
    with engine(1) as e:
        each = [e.curvature("train", indices[i : i + 1]) for i in range(70)]
        np.testing.assert_allclose(e.curvature("train", indices), np.mean(each, axis=0), rtol=1e-12)
    assert np.ptp(each, axis=0).max() > 0


def test_scores_are_those_of_each_image_in_its_place():
    with engine(2) as e:
        indices = np.array([7, 3, 7, 1100])
        some, everything = e.score("train", indices), e.score("train")
    assert len(everything.losses) == 1200
    np.testing.assert_allclose(some.losses, everything.losses[indices], rtol=1e-12)
    np.testing.assert_array_equal(some.predictions, everything.predictions[indices])
    assert everything.confusion(4).sum() == 1200
    assert np.trace(everything.confusion(4)) / 1200 == everything.summary("x")["x/accuracy"]


@pytest.mark.parametrize("indices", [None, np.array([7, 3, 7, 1100])], ids=["all", "some"])
def test_what_is_measured_are_the_scores_in_short_to_the_last_bit(indices):
    with engine(2) as e:
        loss, accuracy = e.measure("train", indices)
        assert {"x/loss": loss, "x/accuracy": accuracy} == e.score("train", indices).summary("x")


@pytest.mark.parametrize("threads", [1, 2])
def test_a_draw_with_replacement_may_be_longer_than_its_table(threads):
    with engine(threads, count=20) as e:
        indices = np.random.default_rng(1).integers(20, size=64)
        drawn, everything = e.score("train", indices), e.score("train")
    np.testing.assert_allclose(drawn.losses, everything.losses[indices], rtol=1e-12)


def test_a_step_after_the_first_makes_no_large_arrays():
    import tracemalloc

    with engine(1, "float32") as e:
        indices = np.arange(64)
        e.gradient("train", indices)
        tracemalloc.start()
        e.gradient("train", indices)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    activations = 32 * 3 * 8 * 9 * 4  # bytes of the first layer's output for a sub-batch
    assert peak < 3 * activations


def test_a_worker_that_is_killed_is_an_error_not_a_hang():
    with engine(2) as e:
        (process,) = e._crew._processes
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(CrewError, match="has ended"):
            for _ in range(3):
                e.gradient("train", np.arange(64))


def test_what_a_worker_raises_reaches_its_parent():
    def work(member, order):
        if member == 1:
            raise ArithmeticError(f"cannot do {order}")

    crew = Crew(2, work)
    try:
        with pytest.raises(CrewError, match=r"ArithmeticError: cannot do \(6, 7, 8, 9\)"):
            crew.do((6, 7, 8, 9))
    finally:
        crew.dismiss()


@pytest.mark.parametrize("threads", [2, 3])
def test_what_is_drawn_and_normalised_does_not_depend_on_the_number_of_workers(threads):
    def gradient(count, step=5):
        generator = np.random.default_rng(0)
        images, labels = generator.integers(0, 256, (150, 1, 8, 8)).astype(np.uint8), np.arange(150) % 3
        on = backend("float32", count)
        layers = [Conv2d(4, 3), BatchNorm(), Dropout(0.3), Flatten(), Linear(8), Dropout(), Linear(3)]
        net = Network(layers, (1, 8, 8), 3, on)
        net.initialize("he_normal", np.random.default_rng(1))
        tables = {"train": ImageTable(images, labels, 30.0, 70.0, on)}
        distortion = Distortion(Augmentation(shift=1, elastic=1), (1, 8, 8), on)
        with Engine(net, tables, CrossEntropy(), on, 7, distortion) as engine:
            before = engine.score("train")
            found = engine.gradient("train", np.arange(150), step)[1].copy()
            np.testing.assert_array_equal(engine.score("train").losses, before.losses)  # nothing drawn
            return found

    np.testing.assert_array_equal(gradient(threads), gradient(1))
    assert not np.array_equal(gradient(1, step=6), gradient(1))


def test_workers_end_with_their_engine():
    with engine(3) as e:
        pids = [process.pid for process in e._crew._processes]
        assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_workers_end_when_their_parent_is_killed():
    code = (
        "import sys, time; from tests.training.test_engine import engine\n"
        "e = engine(3).__enter__(); print(*[p.pid for p in e._crew._processes], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(psutil.pid_exists(pid) for pid in pids)
