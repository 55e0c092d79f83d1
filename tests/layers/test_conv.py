import numpy as np
import pytest
from scipy.signal import correlate

from lenet.layers import Conv2d, ShapeError
from tests.helpers import assert_gradients_agree, bound

GRID = [
    # batch, channels in, image, channels out, kernel, stride, padding
    (1, 1, (5, 5), 1, (1, 1), (1, 1), (0, 0)),
    (2, 3, (6, 7), 4, (3, 3), (1, 1), (0, 0)),
    (3, 2, (7, 5), 3, (5, 5), (1, 1), (2, 2)),
    (2, 2, (8, 9), 2, (3, 2), (2, 1), (1, 0)),
    (1, 2, (9, 6), 3, (2, 3), (3, 2), (0, 1)),
    (2, 1, (4, 4), 2, (4, 4), (1, 1), (0, 0)),
    (2, 1, (3, 3), 2, (5, 5), (2, 2), (2, 2)),
    (2, 2, (5, 6), 2, (2, 2), (4, 5), (0, 0)),
    (1, 1, (3, 4), 1, (2, 2), (1, 1), (4, 3)),
]


def naive(x, weight, bias, stride, padding):
    """The definition, by loops over every output."""
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    out, _, kernel_height, kernel_width = weight.shape
    height = (padded.shape[2] - kernel_height) // stride[0] + 1
    width = (padded.shape[3] - kernel_width) // stride[1] + 1
    y = np.empty((len(x), out, height, width))
    for n, o, i, j in np.ndindex(*y.shape):
        top, left = i * stride[0], j * stride[1]
        window = padded[n, :, top : top + kernel_height, left : left + kernel_width]
        y[n, o, i, j] = (window * weight[o]).sum() + bias[o]
    return y


@pytest.mark.parametrize(("batch", "channels", "image", "out", "kernel", "stride", "padding"), GRID)
def test_forward_is_the_definition(batch, channels, image, out, kernel, stride, padding):
    layer = bound(Conv2d(out, kernel, stride, padding), (channels, *image))
    x = np.random.default_rng(2).normal(size=(batch, channels, *image))
    expected = naive(x, layer.parameters["weight"], layer.parameters["bias"], stride, padding)
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("batch", "channels", "image", "out", "kernel", "stride", "padding"), GRID)
def test_backward_agrees_with_finite_differences(batch, channels, image, out, kernel, stride, padding):
    layer = bound(Conv2d(out, kernel, stride, padding), (channels, *image))
    assert_gradients_agree(layer, np.random.default_rng(2).normal(size=(batch, channels, *image)))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_float32_stays_and_agrees_with_float64(batch, stride):
    results = []
    for dtype in ("float32", "float64"):
        layer = bound(Conv2d(6, 5, stride, padding=1, name=dtype), (3, 9, 8), dtype)
        y = layer.forward(np.random.default_rng(0).normal(size=(batch, 3, 9, 8)).astype(dtype))
        dx = layer.backward(np.random.default_rng(1).normal(size=y.shape).astype(dtype))
        results.append([array.copy() for array in (y, dx, *layer.gradients.values())])
        assert {array.dtype for array in results[-1]} == {np.dtype(dtype)}
    for single, double in zip(*results, strict=True):
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-4)


def test_the_way_a_single_sample_is_computed_agrees_with_the_way_a_batch_is():
    layer = bound(Conv2d(4, (3, 5), padding=(1, 2)), (3, 8, 9))
    x = np.random.default_rng(0).normal(size=(1, 3, 8, 9))
    dy = np.random.default_rng(1).normal(size=(1, 4, 8, 9))
    single = [layer.forward(x).copy(), layer.backward(dy).copy(), layer.gradients["weight"].copy()]
    batch = [layer.forward(x.repeat(2, axis=0)).copy(), layer.backward(dy.repeat(2, axis=0)).copy()]
    np.testing.assert_allclose(batch[0][1:], single[0], rtol=1e-12)
    np.testing.assert_allclose(batch[1][1:], single[1], rtol=1e-12)
    np.testing.assert_allclose(layer.gradients["weight"], 2 * single[2], rtol=1e-12)


def test_forward_agrees_with_scipy():
    layer = bound(Conv2d(3, 5), (2, 9, 11))
    x = np.random.default_rng(0).normal(size=(2, 2, 9, 11))
    for n, o in np.ndindex(2, 3):
        expected = correlate(x[n], layer.parameters["weight"][o], mode="valid")[0] + layer.parameters["bias"][o]
        np.testing.assert_allclose(layer.forward(x)[n, o], expected, rtol=1e-12)


def test_changing_batch_sizes_leave_the_padding_zero():
    layer = bound(Conv2d(2, 3, padding=1), (1, 4, 4))
    x = np.random.default_rng(0).normal(size=(5, 1, 4, 4))
    whole = layer.forward(x).copy()
    for size in (1, 5, 2, 5):
        np.testing.assert_allclose(layer.forward(x[:size]), whole[:size], rtol=1e-12)


def test_any_memory_order_of_input_and_gradient_gives_the_same():
    layer = bound(Conv2d(3, 3, stride=2, padding=1), (2, 7, 6))
    x = np.random.default_rng(0).normal(size=(3, 2, 7, 6))
    y = layer.forward(x).copy()
    dy = np.random.default_rng(1).normal(size=y.shape)
    dx = layer.backward(dy).copy()
    np.testing.assert_array_equal(layer.forward(np.asfortranarray(x)), y)
    np.testing.assert_array_equal(layer.backward(np.asfortranarray(dy)), dx)


def test_the_input_is_not_changed():
    layer = bound(Conv2d(3, 3, padding=1), (2, 6, 6))
    x = np.random.default_rng(0).normal(size=(3, 2, 6, 6))
    before = x.copy()
    layer.backward(layer.forward(x).copy())
    np.testing.assert_array_equal(x, before)


def test_a_kernel_that_does_not_fit_names_the_layer_and_both_shapes():
    with pytest.raises(ShapeError, match=r"`c3`.*5×5.*\(6, 4, 4\)"):
        Conv2d(16, 5, name="c3").setup((6, 4, 4))


def test_flat_input_names_the_layer():
    with pytest.raises(ShapeError, match=r"`c1` needs images .* given \(10,\)"):
        Conv2d(6, 5, name="c1").setup((10,))


@pytest.mark.parametrize(
    "wrong", [{"channels": 0}, {"kernel_size": 0}, {"stride": 0}, {"padding": -1}, {"kernel_size": (1, 2, 3)}]
)
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Conv2d(**({"channels": 2, "kernel_size": 3} | wrong))
