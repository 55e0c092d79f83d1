import numpy as np
import pytest

from lenet.arrays import blas

AVX2 = frozenset({"sse", "avx", "avx2"})
AVX512 = AVX2 | {"avx512f"}


@pytest.mark.parametrize(
    ("kernel", "flags"),
    [("Haswell", AVX512), ("Sandybridge", AVX2), ("Prescott", AVX512), ("Zen", AVX512)],
)
def test_a_kernel_older_than_the_processor_is_said_to_be(kernel, flags):
    said = blas.outdated(kernel, flags)
    assert said is not None
    assert kernel in said
    assert ("avx512f" if "avx512f" in flags else "avx2") in said


@pytest.mark.parametrize(
    ("kernel", "flags"),
    [
        ("SkylakeX", AVX512),
        ("Haswell", AVX2),
        ("Cooperlake", AVX2),
        ("armv8", AVX2),
        (None, AVX2),
        ("Haswell", frozenset()),
    ],
)
def test_nothing_is_said_of_a_kernel_that_fits_or_is_not_known(kernel, flags):
    assert blas.outdated(kernel, flags) is None


def test_numpy_s_own_blas_is_described():
    np.ones((2, 2)) @ np.ones((2, 2))
    assert blas.describe()["threads"] >= 1
