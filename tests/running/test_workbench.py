"""What the runs of one process share."""

import numpy as np
import pytest

from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.data import Dataset, DataSource
from lenet.errors import UserError
from lenet.running.workbench import Workbench
from tests.conftest import SMALL


class Counted(DataSource):
    """Counts how often it is read."""

    loads = 0

    def __init__(self, splits: bool = True) -> None:
        self.splits_by_seed = splits  # type: ignore[misc]
        self.validation, self.scaling = 0.1, "standard"

    def load(self, seed):
        Counted.loads += 1
        if seed == 9:
            raise UserError("broken")
        images, labels = np.zeros((2, 1, 2, 2), np.uint8), np.array([0, 1])
        return Dataset("two", images, labels, images, labels, ("a", "b"), "here")


def plan(splits=True, seed=0, root="a"):
    made = build(compose_config(["data=npz", f"data.images={root}", f"seed={seed}"]))
    object.__setattr__(made, "data", Counted(splits))
    return made


@pytest.mark.parametrize(
    ("plans", "loads"),
    [
        ([plan(), plan(), plan()], 1),
        ([plan(seed=0), plan(seed=1)], 2),
        ([plan(False, seed=0), plan(False, seed=1)], 1),
        ([plan(root="a"), plan(root="b"), plan(root="a")], 3),
    ],
)
def test_data_are_read_once_for_all_runs_that_follow_one_another_on_them(plans, loads):
    Counted.loads = 0
    bench = Workbench()
    sets = [bench.dataset(one) for one in plans]
    assert Counted.loads == loads
    assert len({id(one) for one in sets}) <= loads


def test_data_that_cannot_be_had_are_tried_again():
    Counted.loads = 0
    bench = Workbench()
    for _ in range(2):
        with pytest.raises(UserError, match="broken"):
            bench.dataset(plan(seed=9))
    assert Counted.loads == 2


def test_a_store_is_opened_once(workplace):
    bench, tracking = Workbench(), build(compose_config(SMALL)).tracking
    assert bench.store(tracking) is bench.store(build(compose_config(SMALL)).tracking)
    assert bench.environment() is bench.environment()
