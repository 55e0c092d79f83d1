import numpy as np

from lenet.common.random import stream


def test_streams_differ_by_seed_name_and_index_and_repeat():
    keys = [(0, "init"), (1, "init"), (0, "shuffle"), (0, "init", 0), (0, "init", 0, 0), (0, "init", 1)]
    draws = [stream(*key).random(4).tolist() for key in keys]
    assert len({tuple(draw) for draw in draws}) == len(keys)
    assert draws == [stream(*key).random(4).tolist() for key in keys]
    assert np.unique(np.concatenate(draws)).size == 4 * len(keys)
