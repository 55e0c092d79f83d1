"""The layers of the published LeNet-5."""

import numpy as np
import pytest

from lenet.layers import RBF, Conv2d, Flatten, Linear, Pad2d, ShapeError, Subsample2d, TableConv2d, Tanh
from lenet.layers.rbf import targets
from tests.helpers import assert_gradients_agree, bound, network

TABLE = ((0, 2), (1,), (0, 1, 2), (2, 0))


def draw(*shape):
    return np.random.default_rng(7).normal(size=shape)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Pad2d((2, 1), value=-0.1), (2, 4, 5)),
        (Subsample2d(), (3, 6, 4)),
        (Subsample2d(3), (2, 7, 7)),
        (TableConv2d(TABLE, 3), (3, 6, 5)),
        (TableConv2d(TABLE, 2, stride=2, padding=1), (3, 5, 5)),
        (RBF(), (84,)),
    ],
)
def test_gradients_agree_with_finite_differences(layer, shape, batch):
    assert_gradients_agree(bound(layer, shape), draw(batch, *shape))


def test_padding_puts_its_value_around():
    x = draw(2, 3, 4, 4)
    expected = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=-0.1)
    np.testing.assert_array_equal(bound(Pad2d(2, -0.1), (3, 4, 4)).forward(x), expected)


def test_padding_stays_what_it_is_below_a_layer_that_may_write_over_its_input():
    net, x = network([Pad2d(1, value=0.5), Tanh(), Flatten(), Linear(3)], (1, 2, 2), classes=3), draw(2, 1, 2, 2)
    first = net.forward(x).copy()
    np.testing.assert_array_equal(net.forward(x), first)


def test_subsampling_sums_four_neighbours():
    layer, x = bound(Subsample2d(), (2, 4, 6)), draw(3, 2, 4, 6)
    sums = x.reshape(3, 2, 2, 2, 3, 2).sum(axis=(3, 5))
    weight, bias = (layer.parameters[name].reshape(1, 2, 1, 1) for name in ("weight", "bias"))
    np.testing.assert_allclose(layer.forward(x), weight * sums + bias, rtol=1e-12)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_connection_table_is_a_convolution_without_the_kernels_it_leaves_out(batch):
    table, whole = bound(TableConv2d(TABLE, 3), (3, 6, 5)), bound(Conv2d(4, 3), (3, 6, 5))
    whole.parameters["weight"][...] = 0
    kernels = iter(table.parameters["weight"])
    for output, maps in enumerate(TABLE):
        for each in maps:
            whole.parameters["weight"][output, each] = next(kernels)
    whole.parameters["bias"][...] = table.parameters["bias"]
    x = draw(batch, 3, 6, 5)
    np.testing.assert_allclose(table.forward(x), whole.forward(x), rtol=1e-12)


def test_a_kernel_s_fans_are_those_of_its_own_maps():
    layer = TableConv2d(TABLE, 3)
    layer.setup((3, 6, 5))
    fan_in, fan_out = layer.parameter_specs()["weight"].fans
    assert fan_in.ravel().tolist() == [9 * n for n in (2, 2, 1, 3, 3, 3, 2, 2)]
    assert fan_out.ravel().tolist() == [9 * n for n in (3, 3, 2, 3, 2, 3, 3, 3)]


def test_distances_are_least_from_the_drawing_itself():
    layer = bound(RBF(), (84,))
    x = draw(5, 84)
    expected = -((x[:, None] - targets()) ** 2).sum(axis=2)
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-12)
    assert layer.forward(targets()).argmax(axis=1).tolist() == list(range(10))


def test_the_drawings_differ_in_many_pixels():
    drawings = targets()
    assert drawings.shape == (10, 84)
    assert set(np.unique(drawings)) == {-1, 1}
    apart = (drawings[:, None] != drawings).sum(axis=2)
    assert apart[~np.eye(10, dtype=bool)].min() >= 9


@pytest.mark.parametrize("table", [((0,), ()), ((0, 0),)])
def test_a_table_that_connects_nothing_or_twice_is_refused(table):
    with pytest.raises(ValueError, match=r"connections\[\d\] is .*accepted: one or more"):
        TableConv2d(table, 3)


def test_what_does_not_fit_is_named():
    with pytest.raises(ShapeError, match=r"input map 2, and is given 2: accepted are 0 to 1"):
        TableConv2d(TABLE, 3, name="c3").setup((2, 6, 6))
    with pytest.raises(ShapeError, match=r"needs 84 flat features.*\(10,\)"):
        RBF(name="output").setup((10,))
