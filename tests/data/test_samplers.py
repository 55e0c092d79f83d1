import numpy as np
import pytest

from lenet.data.samplers import OnePerBlock, Shuffle


def test_shuffle_sees_every_image_once_in_another_order_each_time():
    sampler = Shuffle(batch=16)
    first, second = (sampler.order(100, np.random.default_rng(seed)) for seed in (0, 1))
    assert sorted(first) == list(range(100))
    assert not np.array_equal(first, second)
    assert sampler.steps(100) == 7


@pytest.mark.parametrize(("size", "blocks"), [(128, 2), (129, 3), (60_000, 938), (5, 1)])
def test_one_per_block_draws_one_image_from_each_consecutive_block(size, blocks):
    sampler = OnePerBlock(block=64)
    order = sampler.order(size, np.random.default_rng(0))
    assert sampler.batch == 1
    assert sampler.steps(size) == len(order) == blocks
    assert [index // 64 for index in order] == list(range(blocks))
    assert order[-1] < size


def test_one_per_block_reaches_every_image_of_a_short_last_block():
    drawn = {int(OnePerBlock(4).order(6, np.random.default_rng(seed))[-1]) for seed in range(50)}
    assert drawn == {4, 5}
