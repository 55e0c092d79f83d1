import numpy as np
import pytest
from pydantic import ValidationError

from lenet.arrays.draws import Pass
from lenet.layers import Dropout
from tests.helpers import bound

ONES = np.ones((8, 3, 20, 20))


def dropout(rate=0.25, training=True, seed=0, step=0, position=0):
    layer = bound(Dropout(rate, name="drop"), (3, 20, 20))
    layer.now = Pass(training, seed, step, batch=64, position=position)
    return layer


def test_training_drops_the_rate_and_keeps_the_mean():
    y = dropout().forward(ONES.copy())
    assert set(np.unique(y)) == {0, 1 / 0.75}
    assert np.mean(y == 0) == pytest.approx(0.25, abs=0.02)  # 9600 draws: five standard deviations


def test_the_gradient_goes_where_the_numbers_went():
    layer = dropout()
    y = layer.forward(ONES.copy())
    np.testing.assert_array_equal(layer.backward(3 * ONES), 3 * y)


def test_evaluation_changes_nothing():
    layer = dropout(training=False)
    x = np.random.default_rng(0).normal(size=(2, 3, 20, 20))
    np.testing.assert_array_equal(layer.forward(x.copy()), x)
    np.testing.assert_array_equal(layer.backward(x.copy()), x)


def test_another_seed_or_step_drops_others():
    first = dropout().forward(ONES.copy())
    np.testing.assert_array_equal(dropout().forward(ONES.copy()), first)
    for other in (dropout(seed=1), dropout(step=1), dropout(position=1)):
        assert not np.array_equal(other.forward(ONES.copy()), first)


def test_what_is_dropped_does_not_depend_on_the_cut_or_the_memory_order():
    whole = dropout().forward(ONES.copy())
    parts = [dropout(position=start).forward(ONES[start : start + 4].copy()) for start in (0, 4)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    turned = np.ascontiguousarray(ONES.transpose(2, 1, 3, 0)).transpose(3, 1, 0, 2)
    np.testing.assert_array_equal(dropout().forward(turned), whole)


@pytest.mark.parametrize("rate", [1, -0.1, True, "much"])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValidationError, match="Dropout"):
        Dropout(rate)
