"""The stand-in refuses what CuPy refuses, and counts what costs."""

import inspect

import numpy as np
import pytest

from tests.device.standin import UFUNCS, DeviceArray, OutOfMemoryError, StandIn
from tests.device.usage import keywords, other_names_of_the_module, used, used_of_arrays


@pytest.fixture
def xp():
    return StandIn()


@pytest.fixture
def array(xp):
    array = xp.array(np.arange(6.0).reshape(2, 3))
    xp.counts.clear()
    return array


HOST = np.ones((2, 3))
REFUSED = {
    "becoming a NumPy array": lambda xp, a: np.asarray(a),
    "NumPy's functions": lambda xp, a: np.sqrt(a),
    "NumPy's reductions": lambda xp, a: np.sum(a),
    "adding a NumPy array": lambda xp, a: a + HOST,
    "being added to one": lambda xp, a: HOST + a,
    "adding one in place": lambda xp, a: a.__iadd__(HOST),
    "changing one in place": lambda xp, a: HOST.copy().__iadd__(a),
    "a NumPy operand": lambda xp, a: xp.add(a, HOST, out=a),
    "a NumPy output": lambda xp, a: xp.add(a, a, out=HOST.copy()),
    "a list as operand": lambda xp, a: xp.multiply(a, [1, 2, 3]),
    "a NumPy array as index": lambda xp, a: a[np.array([0, 1])],
    "a list as index": lambda xp, a: a[[0, 1]],
    "assigning a NumPy array": lambda xp, a: a.__setitem__(..., HOST),
    "taking by NumPy indices": lambda xp, a: xp.take(a, np.array([0]), axis=0),
    "a product with a NumPy array": lambda xp, a: xp.dot(a, HOST.T),
    "going element by element": lambda xp, a: list(a[0]),
    "texts": lambda xp, a: xp.array(["one"]),
    "objects": lambda xp, a: xp.array([None]),
    "numbers of the other byte order": lambda xp, a: xp.array(np.ones(2, ">f4")),
    "long doubles": lambda xp, a: a.astype(np.longdouble),
    "being an index": lambda xp, a: [1, 2, 3][a[0, 1]],
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_refuses(what, xp, array):
    with pytest.raises((TypeError, ValueError)):
        REFUSED[what](xp, array)
    np.testing.assert_array_equal(array.get(), np.arange(6.0).reshape(2, 3))


def test_it_has_nothing_that_is_not_used():
    own = {"counts", "memory", "held", "operand", "index", "made", "launched", "launch", "ufunc", "set_apart"}
    assert {name for name in dir(StandIn()) if not name.startswith("_")} - own <= used()


def test_it_has_all_that_is_used_of_arrays_in_code_that_no_test_runs_too():
    assert len(used_of_arrays()) > 15
    assert used_of_arrays() - set(vars(DeviceArray)) == {"partition"}, "of a text; all else is an array's"


def test_it_takes_all_keywords_that_are_used():
    assert len(keywords()) > 15
    for name, keyword in keywords():
        functions = [getattr(place, name, None) for place in (StandIn(), DeviceArray)]
        taken = {"out", "dtype"} if name in UFUNCS else set()
        taken |= {each for function in functions if function for each in inspect.signature(function).parameters}
        assert keyword in taken, f"{name} is given {keyword}"


def test_the_module_has_one_name_by_which_it_is_found_in_the_code():
    assert other_names_of_the_module() == []


@pytest.mark.parametrize("missing", ["einsum", "add_at", "float128", "testing", "random"])
def test_it_has_no_more_than_is_used(missing, xp):
    assert not hasattr(xp, missing)


@pytest.mark.parametrize("missing", ["writeable", "aligned"])
def test_its_flags_are_those_of_cupy(missing, array):
    assert array.flags.c_contiguous
    assert not hasattr(array.flags, missing)


def test_a_product_needs_an_output_that_lies_in_order_and_has_its_dtype(xp, array):
    with pytest.raises(ValueError, match="C-contiguous"):
        xp.dot(array, array.T, out=xp.zeros((2, 2)).T)
    with pytest.raises(ValueError, match="dtype"):
        xp.dot(array, array.T, out=xp.zeros((2, 2), "float32"))


# What is done: launches, allocations, uploads, reads.
COSTS = {
    "an upload": (lambda xp, a: xp.array(HOST), (0, 1, 1, 0)),
    "a read of all": (lambda xp, a: xp.asnumpy(a), (0, 0, 0, 1)),
    "a read of a number": (lambda xp, a: float(a[0, 0]), (0, 0, 0, 1)),
    "a question": (lambda xp, a: bool(a[0, 0]), (0, 0, 0, 1)),
    "views": (lambda xp, a: a.T[1:].reshape(2, 1, 2)[..., None].transpose(1, 0, 2, 3), (0, 0, 0, 0)),
    "a reshape that must copy": (lambda xp, a: a.T.reshape(-1), (1, 1, 0, 0)),
    "a new array": (lambda xp, a: a * 2, (1, 1, 0, 0)),
    "one written into": (lambda xp, a: xp.multiply(a, 2, out=a), (1, 0, 0, 0)),
    "in place": (lambda xp, a: a.__imul__(2), (1, 0, 0, 0)),
    "in place by way of an index": (lambda xp, a: exec("a[0] += 1", {"a": a}), (1, 0, 0, 0)),
    "an operand that is another view of the result": (lambda xp, a: xp.add(a[0], 1, out=a[0]), (2, 1, 0, 0)),
    "a sum": (lambda xp, a: a.sum(axis=0), (1, 1, 0, 0)),
    "a sum written into a number": (lambda xp, a: a[0].sum(out=a[1, 0]), (1, 0, 0, 0)),
    "an array as index": (lambda xp, a: a[xp.zeros(2, int)], (2, 2, 0, 0)),
    "two arrays as index": (lambda xp, a: a[xp.zeros(2, int), xp.zeros(2, int)], (5, 5, 0, 0)),
    "a mask as index": (lambda xp, a: a[a > 2], (2, 2, 0, 1)),
    "a mask to be assigned to": (lambda xp, a: a.__setitem__(a > 2, 0), (2, 1, 0, 0)),
    "nothing at all": (lambda xp, a: a[:0].fill(1), (0, 0, 0, 0)),
    "a product of what lies in order": (lambda xp, a: xp.dot(a.T, a), (1, 1, 0, 0)),
    "a product of what does not": (lambda xp, a: xp.dot(a[:, ::2], a[:, :2]), (3, 3, 0, 0)),
    "a stack of products": (lambda xp, a: xp.matmul(a.reshape(3, 2, 1), a.reshape(3, 1, 2)), (1, 1, 0, 0)),
    "a stack with one matrix": (lambda xp, a: xp.matmul(a[:, :2], a.reshape(3, 2, 1)), (5, 5, 0, 0)),
}


@pytest.mark.parametrize("what", COSTS)
def test_it_counts(what, xp, array):
    do, expected = COSTS[what]
    do(xp, array)
    counts = xp.counts
    assert (counts.launches, counts.allocations, counts.uploads, counts.reads) == expected
    assert len(counts.sequence) == counts.launches


def test_it_computes_what_numpy_does(xp, array):
    np.testing.assert_array_equal((1 - array.T / 2)[1:].get(), (1 - np.arange(6.0).reshape(2, 3).T / 2)[1:])
    assert array.sum(dtype="float64").item() == 15
    assert isinstance(array[0, 0], DeviceArray)


def test_its_memory_can_run_out(xp):
    xp.memory = 100
    xp.zeros(12)
    with pytest.raises(OutOfMemoryError, match="Out of memory allocating 8 bytes"):
        xp.ones(1)
