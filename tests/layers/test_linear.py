import numpy as np
import pytest

from lenet.layers import Flatten, Linear, ShapeError
from lenet.layers.linear import stacked
from tests.helpers import assert_gradients_agree, backend, bound


@pytest.mark.parametrize("batch", [1, 4])
def test_linear_is_x_times_weight_plus_bias(batch):
    layer = bound(Linear(3), (5,))
    x = np.random.default_rng(0).normal(size=(batch, 5))
    assert layer.parameters["weight"].shape == (5, 3)
    np.testing.assert_allclose(layer.forward(x), x @ layer.parameters["weight"] + layer.parameters["bias"], rtol=1e-12)


@pytest.mark.parametrize("batch", [1, 4])
def test_linear_backward_agrees_with_finite_differences(batch):
    assert_gradients_agree(bound(Linear(3), (5,)), np.random.default_rng(0).normal(size=(batch, 5)))


def test_a_product_that_is_too_large_for_the_small_path_is_cut_and_stays_the_same():
    layer = bound(Linear(120), (400,))
    generator = np.random.default_rng(0)
    x, dy = generator.normal(size=(32, 400)), generator.normal(size=(32, 120))
    weight, bias = layer.parameters["weight"], layer.parameters["bias"]
    np.testing.assert_allclose(layer.forward(x), x @ weight + bias, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.backward(dy), dy @ weight.T, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.gradients["weight"], x.T @ dy, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("rows", "inner", "columns", "height"),
    [
        (120, 400, 32, 60),  # 60 · 400 · 32 multiplications are under a million
        (10, 84, 32, 10),  # small as it is
        (127, 8000, 32, 127),  # a prime number of rows cannot be cut
        (480, 8000, 64, 480),  # only pieces too low to be fast would be small
    ],
)
def test_a_matrix_is_cut_into_the_highest_pieces_that_are_small(rows, inner, columns, height):
    matrix = np.zeros((inner, rows)).T
    stack = stacked(matrix, columns, backend())
    assert stack.shape == (rows // height, height, inner)
    assert np.shares_memory(stack, matrix)


def test_linear_on_images_names_the_layer_and_asks_for_flatten():
    with pytest.raises(ShapeError, match=r"`fc` .*\(16, 5, 5\).*Flatten"):
        Linear(10, name="fc").setup((16, 5, 5))


def test_flatten_keeps_the_order_of_channels_rows_columns():
    layer = bound(Flatten(), (2, 3, 4))
    x = np.random.default_rng(0).normal(size=(5, 2, 3, 4))
    y = layer.forward(x)
    np.testing.assert_array_equal(y, x.reshape(5, 24))
    np.testing.assert_array_equal(layer.backward(y), x)


def test_flatten_leaves_flat_features_as_they_are():
    layer = bound(Flatten(), (7,))
    x = np.random.default_rng(0).normal(size=(3, 7))
    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)
