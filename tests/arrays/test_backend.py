import sys

import numpy as np
import pytest

from lenet.arrays.backend import CACHE_LINE, BackendSettings
from lenet.errors import UserError


@pytest.fixture
def no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)


def test_auto_says_why_it_chose_numpy_where_there_is_no_cupy(no_cupy):
    backend = BackendSettings("auto").open()
    assert backend.name == "numpy"
    assert backend.reason == "chosen by backend=auto: the package CuPy is not installed"


def test_cupy_that_is_missing_is_the_user_s_to_mend(no_cupy):
    with pytest.raises(
        UserError, match=r"backend=cupy cannot be had: the package CuPy is not installed.*pip install -e '\.\[cuda12\]'"
    ):
        BackendSettings("cupy").open()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_and_the_number_of_threads_are_what_was_asked_for(dtype):
    backend = BackendSettings("numpy", dtype, 3).open()
    assert (backend.dtype, backend.threads) == (np.dtype(dtype), 3)


def test_the_blas_is_kept_to_one_thread_and_let_go_again():
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    before = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    limit = BackendSettings("numpy").open().limit_blas()
    during = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    limit.restore_original_limits()
    after = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert before
    assert set(during) == {1}
    assert after == before


def test_several_processes_are_for_linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert BackendSettings("numpy").open().threads == 1
    with pytest.raises(UserError, match=r"backend\.threads=2 works on Linux alone"):
        BackendSettings("numpy", threads=2).open()


@pytest.mark.parametrize("shape", [(), 5, (3, 1), (7, 9, 2)])
@pytest.mark.parametrize("dtype", [None, np.uint8, np.int64])
def test_zeros_begin_at_a_cache_line(shape, dtype):
    backend = BackendSettings("numpy", "float32").open()
    for _ in range(5):
        array = backend.zeros(shape, dtype)
        expected = np.zeros(shape, dtype or np.float32)
        assert array.ctypes.data % CACHE_LINE == 0
        assert array.dtype == expected.dtype
        assert array.flags.writeable
        np.testing.assert_array_equal(array, expected)


def test_gather_copies_the_rows_asked_for():
    backend = BackendSettings("numpy").open()
    table, out = np.arange(12, dtype=np.uint8).reshape(4, 3), np.zeros((5, 3), np.uint8)
    indices = np.array([3, 0, 0, 2, 1])
    backend.gather(table, indices, out=out)
    np.testing.assert_array_equal(out, table[indices])
