import math

import numpy as np
import pytest
from scipy.special import expit

from lenet.layers import ReLU, ScaledTanh, Sigmoid, Tanh, activation
from tests.helpers import assert_gradients_agree, bound

FORMULAS = {
    ReLU: lambda x: np.where(x > 0, x, 0),
    Tanh: np.tanh,
    Sigmoid: expit,
    ScaledTanh: lambda x: 1.7159 * np.tanh(2 * x / 3),
}
SHAPES = [(4,), (2, 3, 5)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", FORMULAS)
def test_forward_is_the_formula(kind, shape):
    x = np.random.default_rng(0).normal(size=(3, *shape)) * 3
    np.testing.assert_allclose(bound(kind(), shape).forward(x), FORMULAS[kind](x), rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", FORMULAS)
def test_backward_agrees_with_finite_differences(kind, shape):
    x = np.random.default_rng(0).normal(size=(3, *shape))
    assert_gradients_agree(bound(kind(), shape), x)


@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_overflows_and_the_dtype_stays(kind, dtype):
    x = np.array([[-1e4, -100, 0, 100, 1e4]], dtype)
    layer = bound(kind(), (5,), dtype)
    with np.errstate(all="raise", under="ignore"):
        y = layer.forward(x)
        dx = layer.backward(np.ones_like(x))
    assert y.dtype == dx.dtype == dtype
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()


def test_relu_has_derivative_zero_at_zero():
    layer = bound(ReLU(), (3,))
    layer.forward(np.array([[-1.0, 0.0, 1.0]]))
    np.testing.assert_array_equal(layer.backward(np.ones((1, 3))), [[0, 0, 1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relu_lets_a_gradient_through_bit_for_bit_or_makes_it_zero(dtype):
    x = np.array([[-np.inf, -1.0, -5e-324, -0.0, 0.0, 5e-324, np.finfo(dtype).tiny, 1.0, np.inf]]).astype(dtype)
    dy = np.random.default_rng(0).normal(size=x.shape).astype(dtype)
    layer = bound(ReLU(), x.shape[1:], dtype)
    layer.forward(x)
    np.testing.assert_array_equal(layer.backward(dy.copy()), np.where(x > 0, dy, 0))


def test_relu_passes_nan_on_so_that_divergence_is_seen():
    for nan in (np.nan, -np.nan):
        assert np.isnan(bound(ReLU(), (2,)).forward(np.array([[nan, 1.0]]))[0, 0])


def test_relu_takes_inputs_of_another_dtype_that_it_could_write_over():
    layer = bound(ReLU(), (4,), "float32")
    layer.overwrites_input = True
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_array_equal(layer.forward(x), np.maximum(x, 0).astype("float32"))
    np.testing.assert_array_equal(layer.backward(np.ones((3, 4), "float32")), x > 0)


def test_relu_takes_gradients_in_any_memory_order():
    layer = bound(ReLU(), (2, 3, 4))
    x = np.random.default_rng(0).normal(size=(5, 2, 3, 4))
    dy = np.random.default_rng(1).normal(size=x.shape)
    expected = np.where(x > 0, dy, 0)
    for inputs in (x, np.asfortranarray(x)):
        for gradient in (dy.copy(), np.asfortranarray(dy)):
            layer.forward(inputs)
            np.testing.assert_array_equal(layer.backward(gradient), expected)


def test_scaled_tanh_keeps_plus_and_minus_one():
    y = bound(ScaledTanh(), (2,)).forward(np.array([[-1.0, 1.0]]))
    np.testing.assert_allclose(y, [[-1, 1]], atol=1e-4)
    assert math.isclose(y[0, 1], 1.7159 * math.tanh(2 / 3))


@pytest.mark.parametrize(
    ("name", "kind"), [("relu", ReLU), ("tanh", Tanh), ("sigmoid", Sigmoid), ("scaled_tanh", ScaledTanh)]
)
def test_activations_are_chosen_by_name(name, kind):
    assert type(activation(name)) is kind


@pytest.mark.parametrize("kind", FORMULAS)
def test_the_input_is_not_changed(kind):
    x = np.random.default_rng(0).normal(size=(3, 4))
    before = x.copy()
    bound(kind(), (4,)).forward(x)
    np.testing.assert_array_equal(x, before)
