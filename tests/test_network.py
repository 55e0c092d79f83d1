import numpy as np
import pytest

from lenet.checking.gradients import finite_difference
from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.errors import UserError
from lenet.layers import AvgPool2d, Conv2d, Flatten, Layer, Linear, MaxPool2d, ReLU, ShapeError, Sigmoid
from lenet.network import Network
from tests.helpers import backend, cross_entropy, network

LENET5 = {
    # layer: (output, parameters, multiply-accumulates); 61,706 parameters in all
    "conv1": ((6, 28, 28), 156, 117_600),
    "activation1": ((6, 28, 28), 0, 0),
    "pool1": ((6, 14, 14), 0, 0),
    "conv2": ((16, 10, 10), 2_416, 240_000),
    "activation2": ((16, 10, 10), 0, 0),
    "pool2": ((16, 5, 5), 0, 0),
    "flatten": ((400,), 0, 0),
    "linear1": ((120,), 48_120, 48_000),
    "activation3": ((120,), 0, 0),
    "linear2": ((84,), 10_164, 10_080),
    "activation4": ((84,), 0, 0),
    "linear3": ((10,), 850, 840),
}


def lenet5(shape=(1, 28, 28), classes=10, overrides=(), dtype="float64"):
    plan = build(compose_config(overrides))
    return Network(plan.network.layers(classes), shape, classes, backend(dtype))


def small():
    layers = [
        Conv2d(2, 3, padding=1),
        Sigmoid(),
        AvgPool2d(2),
        Conv2d(3, 2),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(4),
    ]
    return network(layers, (1, 7, 6), classes=4)


def test_lenet5_is_what_the_paper_counts_layer_by_layer():
    summaries = lenet5().summaries
    assert {s.name: (s.shape, s.parameters, s.multiply_accumulates) for s in summaries} == LENET5
    assert lenet5().size == 61_706


def test_lenet5_follows_the_data_s_image_size_and_classes():
    net = lenet5((3, 20, 24), classes=7)
    assert net.summaries[-1].shape == (7,)
    assert net.views(net.theta)["conv1/weight"].shape == (6, 3, 5, 5)


@pytest.mark.parametrize("key", ["activation=tanh", "activation=scaled_tanh", "activation=sigmoid", "pooling=max"])
def test_lenet5_s_activation_and_pooling_are_chosen_by_key(key):
    kinds = {s.kind for s in lenet5(overrides=[f"network.{key}"]).summaries}
    chosen = {"tanh": "Tanh", "scaled_tanh": "ScaledTanh", "sigmoid": "Sigmoid", "max": "MaxPool2d"}
    assert chosen[key.partition("=")[2]] in kinds
    assert not kinds & ({"AvgPool2d"} if "pooling" in key else {"ReLU"})


def test_the_published_network_has_60_000_parameters():
    net = lenet5(overrides=["network=lenet5_1998"])
    counts = {each.name: each.parameters for each in net.summaries if each.parameters}
    assert counts == {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}
    assert net.trained == net.size == 60_000


def test_the_published_c3_sees_what_table_i_says():
    c3 = next(layer for layer in lenet5(overrides=["network=lenet5_1998"]).layers if layer.name == "c3")
    neighbours = [[{(first + i) % 6 for i in range(count)} for first in range(6)] for count in (3, 4)]
    apart = [{first, (first + 1) % 6, (first + 3) % 6, (first + 4) % 6} for first in range(3)]
    assert list(map(set, c3.connections)) == [*neighbours[0], *neighbours[1], *apart, set(range(6))]


def test_images_too_small_name_the_layer_and_both_shapes():
    with pytest.raises(ShapeError, match=r"`conv2`.*5×5.*\(6, 4, 4\)"):
        lenet5((1, 8, 8))


def test_a_last_layer_that_misses_the_classes_is_named():
    with pytest.raises(ShapeError, match=r"`linear1` puts out shape \(7,\).*10 classes need \(10,\)"):
        network([Flatten(), Linear(7)], (1, 4, 4))


def test_the_gradient_of_a_whole_network_agrees_with_finite_differences():
    net = small()
    x = np.random.default_rng(0).normal(size=(3, 1, 7, 6))
    labels = np.array([0, 3, 1])
    loss = cross_entropy(net.backend)
    expected = finite_difference(lambda: float(loss.forward(net.forward(x), labels).sum()) / 3, net.theta)
    loss.forward(net.forward(x), labels)
    net.backward(loss.backward(1 / 3))
    np.testing.assert_allclose(net.gradient, expected, rtol=1e-5, atol=1e-8)


class Swish(Layer):
    """A user's own layer, which keeps its input and says nothing of what may be written over."""

    def forward(self, x):
        self.x, self.s = x, 1 / (1 + np.exp(-x))
        return x * self.s

    def backward(self, dy):
        return dy * self.s * (1 + self.x * (1 - self.s))


def test_a_user_s_layer_between_layers_that_write_in_place_keeps_what_it_needs():
    layers = [Conv2d(2, 3), Swish(), ReLU(), AvgPool2d(2), Swish(), Flatten(), Linear(5), Swish(), Linear(3)]
    net = network(layers, (1, 8, 8), classes=3)
    x = np.random.default_rng(0).normal(size=(3, 1, 8, 8))
    labels = np.array([0, 2, 1])
    loss = cross_entropy(net.backend)
    expected = finite_difference(lambda: float(loss.forward(net.forward(x), labels).sum()) / 3, net.theta)
    loss.forward(net.forward(x), labels)
    net.backward(loss.backward(1 / 3))
    np.testing.assert_allclose(net.gradient, expected, rtol=1e-5, atol=1e-8)


def test_float32_and_float64_agree():
    nets = {dtype: lenet5(dtype=dtype) for dtype in ("float32", "float64")}
    x = np.random.default_rng(0).normal(size=(4, 1, 28, 28))
    for net in nets.values():
        net.initialize("he_normal", np.random.default_rng(1))
    np.testing.assert_allclose(
        nets["float32"].forward(x.astype("float32")), nets["float64"].forward(x), rtol=1e-3, atol=1e-4
    )
    assert nets["float32"].theta.dtype == "float32"


def test_weights_follow_the_generator_and_biases_start_at_zero():
    first, again, other = small(), small(), small()
    first.initialize("he_normal", np.random.default_rng(5))
    again.initialize("he_normal", np.random.default_rng(5))
    other.initialize("he_normal", np.random.default_rng(6))
    np.testing.assert_array_equal(first.theta, again.theta)
    assert not np.array_equal(first.theta, other.theta)
    biases = [view for name, view in first.views(first.theta).items() if name.endswith("bias")]
    assert all((bias == 0).all() for bias in biases)
    assert first.decays.sum() == first.size - sum(bias.size for bias in biases)


def test_a_replica_shares_the_weights_and_nothing_else():
    net = small()
    twin = net.replica()
    x = np.random.default_rng(0).normal(size=(2, 1, 7, 6))
    y = net.forward(x).copy()
    twin.forward(x * 2)
    net.backward(np.ones_like(y))
    gradient = net.gradient.copy()
    assert not twin.gradient.any()
    twin.backward(np.ones_like(y))
    np.testing.assert_array_equal(net.gradient, gradient)
    net.theta *= 0.5
    np.testing.assert_array_equal(twin.forward(x), net.forward(x))


def test_layers_without_a_name_are_called_after_their_class():
    assert [layer.name for layer in small().layers[:4]] == ["conv2d1", "sigmoid1", "avgpool2d1", "conv2d2"]


def test_two_layers_of_one_name_are_refused():
    with pytest.raises(ShapeError, match=r"network.layers\[1\].*`a`"):
        network([Flatten(name="a"), Linear(10, name="a")], (1, 4, 4))


@pytest.mark.parametrize("width", [10**9, 10**12, 10**18, 10**30])
def test_what_is_absurdly_large_is_refused_before_memory_is_taken(width):
    for layers in (
        [Flatten(), Linear(width), Linear(10)],
        [Conv2d(width, 1), Flatten(), Linear(10)],
        [Conv2d(1, 1, padding=width), AvgPool2d(2), Flatten(), Linear(10)],
    ):
        with pytest.raises(ShapeError, match=r"layer `\w+` takes .* accepted: at most"):
            network(layers, (1, 28, 28))


WRONG_SIGNATURES = {
    "setup": lambda self: (4,),
    "parameter_specs": lambda self, shape: {},
    "multiply_accumulates": lambda self, shape: 0,
    "operations": lambda self: 0,
    "bind": lambda self, backend: None,
}


@pytest.mark.parametrize("method", WRONG_SIGNATURES)
def test_a_layer_whose_method_takes_other_arguments_is_named_in_one_message(method):
    own = type("Own", (Layer,), {method: WRONG_SIGNATURES[method]})
    with pytest.raises(UserError, match=rf"^layer `own1` \(tests\.\w+\.Own\): {method} raises TypeError: .* argument"):
        network([Flatten(), own(), Linear(10)], (1, 2, 2))


def test_where_memory_runs_out_no_layer_is_blamed():
    def bind(self, backend, parameters, gradients):
        raise MemoryError

    with pytest.raises(MemoryError):
        network([Flatten(), type("Own", (Layer,), {"bind": bind})(), Linear(10)], (1, 2, 2))
