import numpy as np
import pytest

from lenet.arrays.draws import Pass
from lenet.layers import BatchNorm, Conv2d, Flatten, Linear
from tests.helpers import assert_gradients_agree, bound, network


def normalization(shape=(3, 4, 5), training=True, group=32, batch=6):
    layer = bound(BatchNorm(group=group), shape)
    layer.parameters["running_var"][...] = [0.5, 1.0, 2.0]
    layer.now = Pass(training, batch=batch)
    return layer


def samples(shape=(3, 4, 5), count=6):
    return np.random.default_rng(3).normal(2, 3, size=(count, *shape))


@pytest.mark.parametrize("shape", [(3, 4, 5), (3,)])
def test_training_normalises_each_feature(shape):
    layer, x = normalization(shape), samples(shape)
    layer.parameters["weight"][...] = 1
    layer.parameters["bias"][...] = 0
    y = layer.forward(x)
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=axes), 1, rtol=1e-4)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(3, 4, 5), (3,)])
@pytest.mark.parametrize("group", [4, 32])
def test_gradients_agree_with_finite_differences(shape, training, group):
    assert_gradients_agree(normalization(shape, training, group), samples(shape))


def test_groups_are_normalised_apart():
    layer, x = normalization(group=4), samples()
    first, second = (normalization().forward(x[part]).copy() for part in (slice(0, 4), slice(4, 6)))
    np.testing.assert_allclose(layer.forward(x), np.concatenate([first, second]), rtol=1e-12)


def test_evaluation_uses_the_running_averages():
    layer, x = normalization(training=False), samples()
    p = {name: value.reshape(1, 3, 1, 1) for name, value in layer.parameters.items()}
    expected = p["weight"] * (x - p["running_mean"]) / np.sqrt(p["running_var"] + 1e-5) + p["bias"]
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-12)


def net_of(group=32):
    return network([Conv2d(2, 3), BatchNorm(group=group, momentum=0.25), Flatten(), Linear(3)], (1, 6, 6), classes=3)


def test_running_averages_move_towards_the_batch_s_and_are_no_parameters():
    net = net_of()
    x = np.random.default_rng(0).normal(size=(5, 1, 6, 6))
    net.now.training, net.now.batch = True, 5
    net.forward(x)
    net.backward(np.ones((5, 3)))
    maps = net.layers[0].forward(x)
    net.average(net.gradient)
    views = net.views(net.theta)
    np.testing.assert_allclose(views["batchnorm1/running_mean"], 0.25 * maps.mean(axis=(0, 2, 3)), rtol=1e-9)
    unbiased = maps.var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose(views["batchnorm1/running_var"], 0.75 + 0.25 * unbiased, rtol=1e-9)
    assert net.trained == net.size - 4 == len(net.decays) == sum(each.parameters for each in net.summaries)
    assert list(views)[-2:] == ["batchnorm1/running_mean", "batchnorm1/running_var"]
    assert not [name for name in net.views(net.theta[: net.trained]) if "running" in name]


def test_it_starts_as_the_identity_in_evaluation():
    net = net_of()
    x = np.random.default_rng(0).normal(size=(5, 1, 6, 6))
    before = net.layers[0].forward(x).copy()
    np.testing.assert_allclose(net.layers[1].forward(before), before, rtol=1e-4)
