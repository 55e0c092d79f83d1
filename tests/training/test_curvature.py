"""Curvatures equal what the paper's formulas give, written out with loops over connections."""

import numpy as np
import pytest

from lenet.errors import UserError
from lenet.layers import (
    RBF,
    AvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    Pad2d,
    ScaledTanh,
    Subsample2d,
    TableConv2d,
    Tanh,
)
from lenet.losses import MaximumAPosteriori
from lenet.training.curvature import check, curvature
from tests.helpers import cross_entropy, network

IMAGES = np.random.default_rng(0).normal(size=(3, 1, 6, 6))
LABELS = np.array([0, 2, 1])


def softmax_curvature(logits):
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p * (1 - p)


def test_a_full_connection_s_is_the_squared_input_times_the_output_s():
    net = network([Flatten(), Linear(4, name="a"), Tanh(name="t"), Linear(3, name="b")], (1, 6, 6), classes=3)
    found = net.views(curvature(net, cross_entropy(net.backend), IMAGES, LABELS))
    p = net.views(net.theta)
    x = IMAGES.reshape(3, -1)
    hidden = np.tanh(x @ p["a/weight"] + p["a/bias"])
    out = softmax_curvature(hidden @ p["b/weight"] + p["b/bias"])
    np.testing.assert_allclose(found["b/weight"], (hidden**2).T @ out, rtol=1e-9)
    np.testing.assert_allclose(found["b/bias"], out.sum(axis=0), rtol=1e-9)
    inner = (out @ (p["b/weight"] ** 2).T) * (1 - hidden**2) ** 2
    np.testing.assert_allclose(found["a/weight"], (x**2).T @ inner, rtol=1e-9)
    np.testing.assert_allclose(found["a/bias"], inner.sum(axis=0), rtol=1e-9)


def test_a_shared_weight_s_is_the_sum_over_its_connections():
    layers = [
        Pad2d(1, value=-0.1),
        Conv2d(2, 3, name="c"),
        ScaledTanh(),
        Subsample2d(name="s"),
        TableConv2d(((0, 1), (1,)), 2, name="t"),
        Flatten(),
        Linear(3, name="f"),
    ]
    net = network(layers, (1, 6, 6), classes=3)
    found = net.views(curvature(net, cross_entropy(net.backend), IMAGES, LABELS))
    p = net.views(net.theta)

    padded = np.pad(IMAGES, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-0.1)
    squashed, slope = np.empty((3, 2, 6, 6)), np.empty((3, 2, 6, 6))
    for o, i, j in np.ndindex(2, 6, 6):
        a = (padded[:, 0, i : i + 3, j : j + 3] * p["c/weight"][o, 0]).sum(axis=(1, 2)) + p["c/bias"][o]
        squashed[:, o, i, j] = 1.7159 * np.tanh(2 * a / 3)
        slope[:, o, i, j] = 1.7159 * 2 / 3 * (1 - np.tanh(2 * a / 3) ** 2)
    small = np.empty((3, 2, 3, 3))
    for o, i, j in np.ndindex(2, 3, 3):
        block = squashed[:, o, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        small[:, o, i, j] = p["s/weight"][o] * block.sum(axis=(1, 2)) + p["s/bias"][o]
    kernels = [(0, 0), (0, 1), (1, 1)]  # output and input map of each kernel of the table
    maps = np.empty((3, 2, 2, 2))
    maps[...] = p["t/bias"].reshape(1, 2, 1, 1)
    for kernel, (o, c) in enumerate(kernels):
        for i, j in np.ndindex(2, 2):
            maps[:, o, i, j] += (small[:, c, i : i + 2, j : j + 2] * p["t/weight"][kernel]).sum(axis=(1, 2))
    out = softmax_curvature(maps.reshape(3, -1) @ p["f/weight"] + p["f/bias"])
    of_maps = (out @ (p["f/weight"] ** 2).T).reshape(maps.shape)

    of_small = np.zeros_like(small)
    for kernel, (o, c) in enumerate(kernels):
        expected = np.zeros((2, 2))
        for i, j in np.ndindex(2, 2):
            expected += np.einsum("n,nij->ij", of_maps[:, o, i, j], small[:, c, i : i + 2, j : j + 2] ** 2)
            of_small[:, c, i : i + 2, j : j + 2] += of_maps[:, o, i, j, None, None] * p["t/weight"][kernel] ** 2
        np.testing.assert_allclose(found["t/weight"][kernel], expected, rtol=1e-9)
    of_squashed = np.repeat(np.repeat(of_small, 2, axis=2), 2, axis=3) * (p["s/weight"] ** 2).reshape(1, 2, 1, 1)
    each = (squashed**2).reshape(3, 2, 3, 2, 3, 2).sum(axis=(3, 5))
    np.testing.assert_allclose(found["s/weight"], (of_small * each).sum(axis=(0, 2, 3)), rtol=1e-9)
    np.testing.assert_allclose(found["s/bias"], of_small.sum(axis=(0, 2, 3)), rtol=1e-9)
    of_c = of_squashed * slope**2
    for o in range(2):
        expected = np.zeros((3, 3))
        for i, j in np.ndindex(6, 6):
            expected += np.einsum("n,nij->ij", of_c[:, o, i, j], padded[:, 0, i : i + 3, j : j + 3] ** 2)
        np.testing.assert_allclose(found["c/weight"][o, 0], expected, rtol=1e-9)


def test_the_output_s_squares_have_a_curvature_of_their_own():
    net = network([Flatten(), Linear(84, name="f"), RBF(name="o")], (1, 6, 6))
    loss = MaximumAPosteriori(j=50.0)
    loss.bind(net.backend)
    found = net.views(curvature(net, loss, IMAGES, LABELS))["f/bias"]
    bias = net.views(net.theta)["f/bias"]

    def slopes():
        """The gradient by the bias, with the probabilities of the classes as they are."""
        net.now.training = True
        loss.forward(net.forward(IMAGES), LABELS)
        net.backward(loss.backward(1.0))
        return net.views(net.gradient)["f/bias"].copy()

    exact = np.empty(84)
    for unit in range(84):
        before = bias[unit]
        bias[unit] = before + 1e-5
        above = slopes()[unit]
        bias[unit] = before - 1e-5
        exact[unit] = (above - slopes()[unit]) / 2e-5
        bias[unit] = before
    # What is left out are products of the slopes of different classes: the softmax's curvature off its diagonal.
    p = loss_probabilities(net, loss)
    x = net.layers[1].forward(IMAGES.reshape(3, -1))
    away = -2 * (x[:, None] - net.layers[2].targets)
    off = -np.einsum("ni,nk,nid,nkd->d", p, p, away, away) + np.einsum("ni,nid->d", p**2, away**2)
    np.testing.assert_allclose(found, exact - off, rtol=1e-5, atol=1e-6)


def loss_probabilities(net, loss):
    loss.forward(net.forward(IMAGES), LABELS)
    return loss.probabilities.copy()


def test_what_says_no_curvature_is_named():
    with pytest.raises(UserError, match=r"`drop` \(Dropout\) has no curvature.*accepted are convolutions"):
        check(network([Flatten(), Dropout(name="drop"), Linear(3)], (1, 6, 6), classes=3))


@pytest.mark.parametrize("pool", [AvgPool2d(2), MaxPool2d(2)])
def test_pools_pass_curvatures_on_by_squared_weights(pool):
    net = network([Conv2d(2, 3, name="c"), pool, Flatten(), Linear(3, name="f")], (1, 6, 6), classes=3)
    check(net)
    found = net.views(curvature(net, cross_entropy(net.backend), IMAGES, LABELS))
    p = net.views(net.theta)
    maps = net.layers[0].forward(IMAGES).copy()
    pooled = net.layers[1].forward(maps).copy()
    of_pool = softmax_curvature(pooled.reshape(3, -1) @ p["f/weight"] + p["f/bias"]) @ (p["f/weight"] ** 2).T
    shares = np.stack([net.layers[1].backward(unit).copy() for unit in np.eye(8).reshape(8, 1, 2, 2, 2).repeat(3, 1)])
    of_maps = np.einsum("nu,unchw->nchw", of_pool, shares**2)
    np.testing.assert_allclose(found["c/bias"], of_maps.sum(axis=(0, 2, 3)), rtol=1e-9)
