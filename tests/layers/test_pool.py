import numpy as np
import pytest

from lenet.layers import AvgPool2d, MaxPool2d, ShapeError, pooling
from lenet.layers.means import WIDEST
from tests.helpers import assert_gradients_agree, bound

GRID = [
    # batch, channels, image, kernel, stride, padding
    (2, 3, (6, 8), (2, 2), None, (0, 0)),
    (1, 1, (7, 5), (2, 2), None, (0, 0)),
    (1, 3, (6, 8), (2, 2), None, (0, 0)),
    (1, 2, (6, 4), (3, 2), None, (0, 0)),
    (2, 2, (7, 7), (3, 3), (2, 2), (1, 1)),
    (3, 1, (5, 6), (3, 2), (1, 1), (0, 0)),
    (2, 2, (6, 5), (2, 3), (3, 2), (1, 2)),
    (1, 2, (4, 4), (4, 4), (1, 1), (3, 3)),
    (2, 1, (5, 5), (1, 1), (3, 2), (0, 0)),
]


def naive(x, kernel, stride, padding, reduce, fill):
    """The definition, by loops over every output."""
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2), constant_values=fill)
    height = (padded.shape[2] - kernel[0]) // stride[0] + 1
    width = (padded.shape[3] - kernel[1]) // stride[1] + 1
    y = np.empty((*x.shape[:2], height, width))
    for n, c, i, j in np.ndindex(*y.shape):
        top, left = i * stride[0], j * stride[1]
        y[n, c, i, j] = reduce(padded[n, c, top : top + kernel[0], left : left + kernel[1]])
    return y


@pytest.mark.parametrize(("kind", "reduce", "fill"), [(AvgPool2d, np.mean, 0.0), (MaxPool2d, np.max, -np.inf)])
@pytest.mark.parametrize(("batch", "channels", "image", "kernel", "stride", "padding"), GRID)
def test_forward_is_the_definition(batch, channels, image, kernel, stride, padding, kind, reduce, fill):
    layer = bound(kind(kernel, stride, padding), (channels, *image))
    x = np.random.default_rng(0).normal(size=(batch, channels, *image))
    expected = naive(x, kernel, stride or kernel, padding, reduce, fill)
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", [AvgPool2d, MaxPool2d])
@pytest.mark.parametrize(("batch", "channels", "image", "kernel", "stride", "padding"), GRID)
def test_backward_agrees_with_finite_differences(batch, channels, image, kernel, stride, padding, kind):
    layer = bound(kind(kernel, stride, padding), (channels, *image))
    assert_gradients_agree(layer, np.random.default_rng(0).normal(size=(batch, channels, *image)))


def test_the_first_of_tied_maxima_in_row_major_order_gets_the_whole_gradient():
    layer = bound(MaxPool2d(2), (1, 2, 4))
    layer.forward(np.array([[[[1.0, 5, 7, 7], [5, 5, 7, 7]]]]))
    dx = layer.backward(np.array([[[[2.0, 3.0]]]]))
    np.testing.assert_array_equal(dx, [[[[0, 2, 3, 0], [0, 0, 0, 0]]]])


def test_padding_never_wins_a_maximum():
    layer = bound(MaxPool2d(3, 1, 1), (1, 2, 2))
    np.testing.assert_array_equal(layer.forward(np.full((1, 1, 2, 2), -9.0)), np.full((1, 1, 2, 2), -9.0))


def test_padding_counts_as_zeros_in_a_mean():
    layer = bound(AvgPool2d(2, 2, 1), (1, 2, 2))
    np.testing.assert_array_equal(layer.forward(np.full((1, 1, 2, 2), 8.0)), np.full((1, 1, 2, 2), 2.0))


def test_padding_as_large_as_the_window_is_refused():
    with pytest.raises(ValueError, match=r"padding \(2, 2\) must be smaller than the window \(2, 2\)"):
        MaxPool2d(2, 2, 2)


def test_a_window_that_does_not_fit_names_the_layer_and_both_shapes():
    with pytest.raises(ShapeError, match=r"`pool2`.*3×3.*\(16, 2, 2\)"):
        AvgPool2d(3, name="pool2").setup((16, 2, 2))


def test_pooling_chooses_by_kind():
    assert isinstance(pooling("avg"), AvgPool2d)
    assert isinstance(pooling("max", 3, 2), MaxPool2d)
    with pytest.raises(ValueError, match="'avg' or 'max'"):
        pooling("min")


@pytest.mark.parametrize("kind", [AvgPool2d, MaxPool2d])
@pytest.mark.parametrize("batch", [1, 3])
def test_any_memory_order_of_input_and_gradient_gives_the_same(kind, batch):
    layer = bound(kind(2), (2, 6, 4))
    generator = np.random.default_rng(0)
    for _ in range(2):  # the second time with other numbers in the same arrays
        x, dy = generator.normal(size=(batch, 2, 6, 4)), generator.normal(size=(batch, 2, 3, 2))
        y, dx = layer.forward(x).copy(), layer.backward(dy.copy()).copy()
        np.testing.assert_allclose(layer.forward(np.asfortranarray(x)), y, rtol=1e-12)
        np.testing.assert_allclose(layer.backward(np.asfortranarray(dy)), dx, rtol=1e-12)
        layer.forward(x)
        changing = np.zeros_like(dy)
        for factor in (1, 2):
            changing[...] = dy * factor
            np.testing.assert_allclose(layer.backward(changing), dx * factor, rtol=1e-12)


def test_columns_wider_than_a_product_is_good_for_are_summed_all_the_same():
    layer = bound(AvgPool2d(2), (1, 2, 2 * WIDEST + 2))
    x = np.random.default_rng(0).normal(size=(3, 1, 2, 2 * WIDEST + 2))
    np.testing.assert_allclose(layer.forward(x), naive(x, (2, 2), (2, 2), (0, 0), np.mean, 0.0), rtol=1e-12)
    assert_gradients_agree(layer, x)
