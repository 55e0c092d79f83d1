"""On a GPU (`make test-gpu`): every part and a whole run against NumPy, within the tolerances stated here."""

import copy

import numpy as np
import pytest

from lenet import resume
from lenet.arrays.backend import BackendSettings
from tests.conftest import Stopped
from tests.device import zoo
from tests.helpers import backend
from tests.sameness import points
from tests.stopping import train

pytestmark = pytest.mark.gpu

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
"""Of the largest number in an array; sums are made in another order on a GPU, and functions differ in the last bit."""
TRAINED = 2e-3
"""Relative, of losses after three epochs in float32, in which those differences have grown."""
dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


def gpu(dtype="float32"):
    """Return the GPU's backend; without one, fail with what is missing."""
    return BackendSettings("cupy", dtype).open()


def assert_near(found, expected, dtype):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        scale = max(1.0, float(np.abs(array).max()))
        np.testing.assert_allclose(found[name], array, rtol=0, atol=TOLERANCE[dtype] * scale, err_msg=name)


@zoo.layers
@zoo.batches
@dtypes
def test_layers(layer, shape, batch, dtype):
    found, expected = (zoo.Passes(copy.copy(layer), shape, batch, on).results() for on in (gpu(dtype), backend(dtype)))
    assert_near(found, expected, dtype)


@zoo.losses
@dtypes
def test_losses(loss, dtype):
    device = gpu(dtype)
    found = [device.to_host(array) for array in zoo.loss_and_gradient(copy.copy(loss), device)]
    expected = list(zoo.loss_and_gradient(copy.copy(loss), backend(dtype)))
    assert_near(dict(enumerate(found)), dict(enumerate(expected)), dtype)


@zoo.optimizers
@dtypes
def test_optimizers(optimizer, dtype):
    vectors = []
    for on in (gpu(dtype), backend(dtype)):
        descent = zoo.Descent(copy.copy(optimizer), on)
        for _ in range(3):
            descent.step()
        vectors.append(descent.vectors(on))
    assert_near(*vectors, dtype)


@zoo.augmentations
def test_augmentations(augmentation):
    # A pixel whose place falls on the border between two is read from either: nearly the same in float64.
    device = gpu("float64")
    images, labels = zoo.Distorted(augmentation, device).batch(3)
    expected_images, expected_labels = zoo.Distorted(augmentation, backend()).batch(3)
    np.testing.assert_allclose(device.to_host(images), expected_images, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(device.to_host(labels), expected_labels)


def assert_alike(client, runs):
    first, second = (points(client, run) for run in runs)
    assert first.keys() == second.keys()
    for metric in ("train/loss", "val/loss", "test/loss"):
        mine, theirs = ([float.fromhex(value) for _, value in found[metric]] for found in (first, second))
        np.testing.assert_allclose(mine, theirs, rtol=TRAINED, atol=TRAINED)


RUNS = {
    "the defaults": [],
    "dropout, elastic": ["network=lenet5_dropout", "augmentation=elastic", "optimizer=adamw", "optimizer.lr=0.001"],
    "batch normalisation, maxima": ["network=lenet5_batchnorm", "network.pooling=max", "optimizer.clip_norm=1"],
}


@pytest.mark.parametrize("settings", RUNS.values(), ids=list(RUNS))
def test_a_whole_run_with_all_figures(settings, client, records):
    for name in ("cupy", "numpy"):
        assert train(*settings, f"backend.name={name}", "trainer.figures=all") == 0
    assert_alike(client, records())


@pytest.mark.parametrize(("first", "other"), [("cupy", "numpy"), ("numpy", "cupy"), ("cupy", "cupy")])
def test_a_checkpoint_moves(first, other, client, records, stop_at):
    every = "trainer.checkpoint_every=4steps"
    assert train(every) == 0
    stop_at(8)
    with pytest.raises(Stopped):
        train(every, f"backend.name={first}")
    assert resume.main(["last", f"backend.name={other}"]) == 0
    assert_alike(client, records())


def test_a_number_that_no_gpu_has_is_refused(workplace, capsys):
    gpu()
    assert train("backend.name=cupy", "+backend.device=99") == 2
    assert "backend.device=99" in capsys.readouterr().err


def test_too_little_memory_is_said(workplace, capsys):
    pool = gpu().xp.get_default_memory_pool()
    pool.free_all_blocks()
    pool.set_limit(size=pool.used_bytes() + 1_000_000)
    try:
        assert train("backend.name=cupy") == 1
    finally:
        pool.set_limit(size=0)
    assert "the GPU has too little memory for trainer.batch_size=16" in capsys.readouterr().err
