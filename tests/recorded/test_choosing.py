"""What a command's words are: a run, or a key."""

import pytest

from lenet.recorded.choosing import split_one


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["last", "trainer.epochs=3"], ("last", {}, ["trainer.epochs=3"])),
        (["lr=0.01", "data=npz"], ("lr=0.01", {}, ["data=npz"])),
        (["data=mnist", "last"], ("last", {}, ["data=mnist"])),
        (["data=mnist", "my.rates seed=0,1"], ("my.rates seed=0,1", {}, ["data=mnist"])),
        (["my.rates seed=0,1"], ("my.rates seed=0,1", {}, [])),
        (["tracking.uri=sqlite:///a.db", "last"], ("last", {"tracking.uri": "sqlite:///a.db"}, [])),
    ],
)
def test_a_word_is_the_run_unless_it_is_a_key(words, expected):
    assert split_one(words) == expected
