"""On the stand-in each part computes NumPy's bits, and from the second time on allocates and reads nothing."""

import copy

import numpy as np
import pytest

from lenet.layers import Dropout
from tests.device import zoo
from tests.device.backends import formulated_alike, on_standin
from tests.helpers import backend

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def assert_same_bits(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name], strict=True, err_msg=name)


def assert_lean(counts):
    assert (counts.allocations, counts.reads, counts.uploads) == (0, 0, 0)


@zoo.layers
@zoo.batches
@dtypes
def test_layers(layer, shape, batch, dtype):
    passes = zoo.Passes(copy.copy(layer), shape, batch, on_standin(dtype))
    found = passes.results()
    expected = zoo.Passes(copy.copy(layer), shape, batch, formulated_alike(dtype)).results()
    assert_same_bits(found, expected)
    counts = passes.backend.xp.counts
    counts.clear()
    passes.run()
    assert_lean(counts)
    first = counts.sequence
    counts.clear()
    passes.run()
    assert counts.sequence == first


@zoo.layers
@zoo.batches
def test_formulations_for_a_gpu_agree_with_those_for_a_cpu(layer, shape, batch):
    mine, theirs = (
        zoo.Passes(copy.copy(layer), shape, batch, on).results() for on in (formulated_alike("float64"), backend())
    )
    for name in theirs:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_what_is_dropped_in_evaluation_is_nothing_there_too():
    passes = zoo.Passes(Dropout(0.5, name="d"), (11,), 4, on_standin())
    passes.layer.now.training = False
    y, dx = passes.run()
    assert y is passes.x
    assert dx is passes.given


@zoo.losses
@dtypes
def test_losses(loss, dtype):
    device = on_standin(dtype)
    found = [array.get() for array in zoo.loss_and_gradient(copy.copy(loss), device)]
    for mine, theirs in zip(found, zoo.loss_and_gradient(copy.copy(loss), formulated_alike(dtype)), strict=True):
        np.testing.assert_array_equal(mine, theirs, strict=True)


@zoo.losses
def test_losses_allocate_nothing(loss):
    device = on_standin()
    loss = copy.copy(loss)
    loss.bind(device)
    logits, labels = device.array(np.ones((6, 5)), "float32"), device.array(np.arange(6) % 5)
    loss.forward(logits, labels)
    device.xp.counts.clear()
    loss.forward(logits, labels)
    loss.backward(0.5)
    assert_lean(device.xp.counts)


@zoo.optimizers
@dtypes
def test_optimizers(optimizer, dtype):
    device, host = on_standin(dtype), formulated_alike(dtype)
    mine, theirs = zoo.Descent(copy.copy(optimizer), device), zoo.Descent(copy.copy(optimizer), host)
    for _ in range(2):
        mine.step()
        theirs.step()
    device.xp.counts.clear()
    mine.step()
    theirs.step()
    assert_lean(device.xp.counts)
    assert_same_bits(mine.vectors(device), theirs.vectors(host))


@zoo.augmentations
@dtypes
def test_augmentations(augmentation, dtype):
    device, host = on_standin(dtype), formulated_alike(dtype)
    mine, theirs = zoo.Distorted(augmentation, device), zoo.Distorted(augmentation, host)
    for step in range(3):
        device.xp.counts.clear()
        for found, expected in zip(mine.batch(step), theirs.batch(step), strict=True):
            np.testing.assert_array_equal(found.get(), expected, strict=True)
    assert (device.xp.counts.allocations, device.xp.counts.uploads, device.xp.counts.reads) == (0, 0, 2)  # by us
