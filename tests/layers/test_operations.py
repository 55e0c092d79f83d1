"""The floating-point operations that layers tell, held to counts made by hand and by an array that counts."""

import numpy as np
import pytest

import lenet.layers
from lenet.layers import (
    RBF,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    Pad2d,
    ReLU,
    ScaledTanh,
    ShapeError,
    Sigmoid,
    Subsample2d,
    TableConv2d,
    Tanh,
)
from tests.helpers import network

BY_HAND = [
    # layer, input, operations of one sample
    (Conv2d(6, 5, padding=2), (1, 28, 28), 6 * 28 * 28 * 25 * 2),
    (Conv2d(16, 5), (6, 14, 14), 480_000),  # twice the 240,000 multiply-accumulates of the paper's arithmetic
    (Conv2d(4, (3, 2), stride=(2, 1)), (3, 9, 6), 4 * (4 * 5) * (3 * 3 * 2) * 2),
    (TableConv2d(((0, 1), (2,), (0, 1, 2)), 3), (3, 6, 6), 6 * 9 * 16 * 2),
    (Linear(120), (400,), 96_000),
    (AvgPool2d(2), (6, 28, 28), 6 * 14 * 14 * (3 + 1)),  # three additions and a division for each of 14×14 windows
    (AvgPool2d(3, stride=1, padding=1), (2, 5, 4), 2 * 20 * 9),
    (MaxPool2d(2), (6, 28, 28), 6 * 14 * 14 * 3),
    (MaxPool2d(3, stride=2), (2, 7, 7), 2 * 9 * 8),
    (MaxPool2d(1), (2, 7, 7), 0),
    (Subsample2d(2), (6, 28, 28), 6 * 14 * 14 * (3 + 1 + 1)),  # additions, the coefficient, the bias
    (ReLU(), (6, 28, 28), 4_704),
    (Tanh(), (84,), 84),
    (ScaledTanh(), (84,), 84 * 3),  # 1.7159 · tanh(⅔ · x)
    (Sigmoid(), (84,), 84 * 4),  # a sign, exp, an addition and a division
    (BatchNorm(), (6, 28, 28), 4_704 * 7),
    (BatchNorm(), (84,), 84 * 7),
    (RBF(), (84,), 10 * (84 + 84 + 84)),  # differences, squares, and their sum with its sign
    (Dropout(0.5), (120,), 120 * 2),
    (Dropout(0.0), (120,), 0),
    (Flatten(), (16, 5, 5), 0),
    (Pad2d(2), (1, 28, 28), 0),
]


@pytest.mark.parametrize(("layer", "shape", "count"), BY_HAND, ids=[f"{type(e[0]).__name__}-{e[1]}" for e in BY_HAND])
def test_what_a_layer_tells_is_what_is_counted_by_hand(layer, shape, count):
    layer.setup(shape)
    assert layer.operations(shape) == count


def test_every_layer_of_ours_tells():
    ours = {kind for kind in vars(lenet.layers).values() if isinstance(kind, type) and issubclass(kind, Layer)}
    assert ours - {Layer} == {type(layer) for layer, _, _ in BY_HAND}


class Counted:
    """A number that counts what is done with it."""

    done = 0

    def __init__(self, value):
        self.value = float(value)

    def _count(self, other, operation):
        Counted.done += 1
        return Counted(operation(self.value, other.value if isinstance(other, Counted) else other))

    def __add__(self, other):
        return self._count(other, lambda a, b: a + b)

    def __sub__(self, other):
        return self._count(other, lambda a, b: a - b)

    def __mul__(self, other):
        return self._count(other, lambda a, b: a * b)

    def __truediv__(self, other):
        return self._count(other, lambda a, b: a / b)

    def __gt__(self, other):
        Counted.done += 1
        return self.value > other.value


def windows(image, size):
    """Return each window of images `(C, H, W)` as a flat list, without overlap."""
    channels, height, width = image.shape
    for c in range(channels):
        for i in range(0, height - size + 1, size):
            for j in range(0, width - size + 1, size):
                yield list(image[c, i : i + size, j : j + size].ravel())


def mean(window):
    total = window[0]
    for each in window[1:]:
        total = total + each
    return total / len(window)


def greatest(window):
    most = window[0]
    for each in window[1:]:
        most = each if each > most else most
    return most


@pytest.mark.parametrize(("kind", "of_window"), [(AvgPool2d, mean), (MaxPool2d, greatest)])
def test_a_naive_loop_over_windows_does_as_many(kind, of_window):
    image = np.array([Counted(each) for each in np.random.default_rng(0).normal(size=2 * 6 * 7)]).reshape(2, 6, 7)
    Counted.done = 0
    for window in windows(image, 3):
        of_window(window)
    layer = kind(3)
    layer.setup(image.shape)
    assert layer.operations(image.shape) == Counted.done == 2 * 2 * 2 * (9 if kind is AvgPool2d else 8)


def test_a_naive_loop_over_a_full_connection_does_as_many():
    x, weight = ([Counted(each) for each in range(size)] for size in (5, 15))
    Counted.done = 0
    for unit in range(3):
        total = Counted(0.5)  # the bias
        for place in range(5):
            total = total + x[place] * weight[5 * unit + place]
    layer = Linear(3)
    layer.setup((5,))
    assert layer.operations((5,)) == Counted.done


class Quiet(Layer):
    """Tells of no operations."""


class Multiplies(Layer):
    def multiply_accumulates(self):
        return 50


class Own(Layer):
    """Tells what it is made to tell."""

    def __init__(self, **told):
        for name, count in told.items():
            setattr(self, name, lambda *shape, count=count: count)


def test_a_layer_that_tells_none_is_told_from_one_that_has_none():
    layers = [Quiet(), Multiplies(), Flatten(), Linear(10)]
    assert [each.operations for each in network(layers, (1, 2, 2)).summaries] == [None, 100, 0, 80]


class Keeps(ReLU):
    """Has a `setup` of its own, which does without that of the layer below."""

    def setup(self, shape):
        return shape


def test_what_a_layer_tells_does_not_rest_on_a_setup_that_a_user_may_replace():
    assert [each.operations for each in network([Keeps(), Flatten(), Linear(10)], (1, 2, 2)).summaries] == [4, 0, 80]


@pytest.mark.parametrize("count", [-1, 2.5, "many", True])
@pytest.mark.parametrize("method", ["operations", "multiply_accumulates"])
def test_what_is_no_count_is_refused_by_name(method, count):
    with pytest.raises(ShapeError, match=rf"layer `own1` \(Own\): {method} returns {count!r}; accepted: a whole num"):
        network([Own(**{method: count}), Flatten(), Linear(10)], (1, 2, 2))
