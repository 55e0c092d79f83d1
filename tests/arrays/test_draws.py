import numpy as np
import pytest
from scipy import stats

from lenet.arrays import draws
from tests.helpers import backend


def uniform(counters, dtype="float64"):
    return draws.Uniform(counters, backend(dtype))


def numbers(key, count=100_000, start=0):
    return uniform(np.arange(count, dtype=np.uint32)).draw(key, start)


def test_keys_follow_from_seed_name_and_index():
    keys = {draws.key(0, "a"), draws.key(1, "a"), draws.key(0, "b"), draws.key(0, "a", 1), draws.key(0, "a", 1, 2)}
    assert len(keys) == 5
    assert draws.key(3, "dropout", 7) == draws.key(3, "dropout", 7)
    assert all(0 <= key < 2**32 for key in keys)


def test_known_values():
    # By the definition, in Python's own integers.
    def mix(bits):
        bits ^= bits >> 16
        bits = bits * 0x21F0AAAD % 2**32
        bits ^= bits >> 15
        bits = bits * 0xD35A2D97 % 2**32
        return bits ^ (bits >> 15)

    for key in (0, 1, 0xDEADBEEF):
        second = (key * 0x9E3779B9 + 0x85EBCA6B) % 2**32
        expected = [(mix((mix(counter ^ key) + second) % 2**32) >> 8) / 2**24 for counter in range(5)]
        assert numbers(key, 5).tolist() == expected


@pytest.mark.parametrize("key", [0, 1, 2, 12345, 2**32 - 1])
def test_they_are_uniform(key):
    values = numbers(key)
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > 1e-4


def test_neighbouring_counters_and_keys_are_independent():
    table = np.stack([numbers(key, 20_000) for key in range(8)])
    assert np.abs(np.corrcoef(table) - np.eye(8)).max() < 0.04  # 5.6 standard deviations
    lagged = [np.corrcoef(row[:-lag], row[lag:])[0, 1] for row in table for lag in (1, 2, 28, 784)]
    assert np.abs(lagged).max() < 0.04


def test_float32_holds_the_same_numbers():
    counters = np.arange(1000, dtype=np.uint32)
    np.testing.assert_array_equal(uniform(counters, "float32").draw(7), uniform(counters).draw(7))


def test_the_counters_are_left_alone():
    counters = np.arange(10, dtype=np.uint32)
    uniform(counters).draw(7)
    np.testing.assert_array_equal(counters, np.arange(10))
