"""Views that are derived once, and arrays seen as their memory lies."""

import numpy as np
import pytest

from lenet.arrays.memory import LINE, Settled, Views, Workspace, lie_alike, lines, logical, memory_order, rows_first
from tests.helpers import backend


def test_what_is_derived_is_kept_while_the_same_array_comes():
    calls = []
    views = Views(lambda array: calls.append(array) or array[::2])
    first, second = np.arange(4), np.arange(4)
    assert views.of(first) is views.of(first)
    assert views.of(second).base is second
    views.of(first)
    assert [id(array) for array in calls] == [id(first), id(second), id(first)]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 1, 3, 0), (3, 2, 1, 0)])
@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (1, 2, 4, 5), (1, 1, 1, 1), (40, 6, 28, 28)])
def test_lines_are_the_whole_memory_in_its_order(order, shape):
    stored = np.random.default_rng(0).normal(size=[shape[axis] for axis in order])
    array = stored.transpose([order.index(axis) for axis in range(4)])
    seen = lines(array)
    assert np.shares_memory(seen, stored)
    assert seen.shape[1] <= LINE
    np.testing.assert_array_equal(seen.reshape(-1), stored.reshape(-1))


def test_axes_of_length_one_come_last():
    assert memory_order(np.zeros((1, 3, 2))) == [1, 2, 0]
    assert lie_alike(np.zeros((1, 3)), np.zeros((3, 1)).T)
    assert not lie_alike(np.zeros((2, 3)), np.zeros((3, 2)).T)


def test_settled_gives_the_array_itself_or_a_copy_that_follows_it():
    settled = Settled((2, 1, 3, 0), backend())
    inside = logical(np.zeros((4, 2, 5, 3)))
    assert np.shares_memory(settled.of(inside), inside)
    outside = np.random.default_rng(0).normal(size=(3, 2, 4, 5))
    for _ in range(2):
        copy = settled.of(outside)
        assert copy.flags.c_contiguous
        np.testing.assert_array_equal(copy, rows_first(outside))
        outside += 1


def test_a_buffer_is_made_once_for_each_name_and_shape():
    workspace = Workspace(backend())
    assert workspace.array("a", (2, 3)) is workspace.array("a", (2, 3))
    assert workspace.array("a", (2, 3)) is not workspace.array("b", (2, 3))
    assert workspace.array("a", (3, 2)).shape == (3, 2)
