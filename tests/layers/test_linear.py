import numpy as np
import pytest

from lenet.layers import Flatten, Linear, ShapeError
from tests.helpers import assert_gradients_agree, bound


@pytest.mark.parametrize("batch", [1, 4])
def test_linear_is_x_times_weight_plus_bias(batch):
    layer = bound(Linear(3), (5,))
    x = np.random.default_rng(0).normal(size=(batch, 5))
    assert layer.parameters["weight"].shape == (5, 3)
    np.testing.assert_allclose(layer.forward(x), x @ layer.parameters["weight"] + layer.parameters["bias"], rtol=1e-12)


@pytest.mark.parametrize("batch", [1, 4])
def test_linear_backward_agrees_with_finite_differences(batch):
    assert_gradients_agree(bound(Linear(3), (5,)), np.random.default_rng(0).normal(size=(batch, 5)))


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
