"""What is kept, and when: in the order that a kill cannot spoil, and in spite of a disk that is full for a while."""

import logging
import time

import pytest

from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.errors import Failure
from lenet.running.session import open_session, trainer_of
from lenet.running.workbench import Workbench
from lenet.training.keeper import Keeper, best_of
from lenet.training.settings import Every
from tests.conftest import SMALL


@pytest.fixture
def trained(workplace):
    """Return what trains three epochs with a keeper that publishes by a function."""

    def train(publish, *settings):
        plan = build(compose_config([*SMALL, "backend.threads=1", *settings]))
        with open_session(plan, Workbench()) as session:
            trainer = trainer_of(plan, session)
            keeper = Keeper(trainer, plan.trainer, {}, publish)
            for _ in trainer.train(lambda progress: keeper.on_step()):
                keeper.note_epoch()
                keeper.save_if_due()
            return keeper

    return train


def test_the_best_is_written_before_the_last_that_knows_of_it(trained):
    names = []
    trained(lambda data, name: names.append(name), "trainer.checkpoint_every=1")
    assert names[:2] == ["checkpoints/best.npz", "checkpoints/last.npz"]
    assert names.count("checkpoints/last.npz") == 3


def test_a_checkpoint_that_cannot_be_written_is_written_later_and_said_once(trained, caplog):
    caplog.set_level(logging.WARNING)
    written, tries = [], []

    def publish(data, name):
        tries.append(name)
        if len(tries) <= 4:
            raise Failure("the disk is full")
        written.append(name)

    keeper = trained(publish, "trainer.checkpoint_every=2steps")
    assert caplog.text.count("the disk is full") == 1
    keeper.save()
    assert {"checkpoints/best.npz", "checkpoints/last.npz"} == set(written)


def test_what_is_asked_for_by_name_is_not_swallowed(trained):
    def publish(data, name):
        raise Failure("the disk is full")

    keeper = trained(publish, "trainer.checkpoint_every=100")
    with pytest.raises(Failure, match="full"):
        keeper.save()


@pytest.mark.parametrize(
    ("text", "every"),
    [
        (5, Every(epochs=5)),
        ("5 epochs", Every(epochs=5)),
        ("1epoch", Every(epochs=1)),
        ("500steps", Every(steps=500)),
        ("1 step", Every(steps=1)),
        ("10s", Every(seconds=10)),
        ("0.5 seconds", Every(seconds=0.5)),
    ],
)
def test_how_often_is_said_in_epochs_steps_or_seconds(text, every):
    assert Every.parse(text) == every


@pytest.mark.parametrize("text", ["", "0", "0steps", "-1", "5m", "1.5steps", "steps", "s", "1e3", "10 s s"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"epochs \(5\), steps \(500steps\) and seconds \(10s\)"):
        Every.parse(text)


@pytest.mark.parametrize(("every", "count"), [("4steps", 4), ("5steps", 3), ("9steps", 2), ("2", 1), ("1000s", 0)])
def test_checkpoints_are_written_as_often_as_is_asked(every, count, trained):
    names = []
    trained(lambda data, name: names.append(name), f"trainer.checkpoint_every={every}", "trainer.checkpoints=last")
    assert len(names) == count


def test_seconds_count_within_an_epoch_too(trained, monkeypatch):
    names, now = [], time.monotonic
    skipped = [0.0]

    def later():
        skipped[0] += 1
        return now() + skipped[0]

    monkeypatch.setattr("lenet.training.keeper.time.monotonic", later)
    trained(lambda data, name: names.append(name), "trainer.checkpoint_every=4s", "trainer.checkpoints=last")
    assert len(names) > 3


def test_the_earliest_best_counts_on_a_tie():
    history = [{"val/accuracy": value} for value in (0.1, 0.5, 0.5, float("nan"), 0.2)]
    assert best_of(history) == (0.5, 2)
    assert best_of([]) == (-1.0, None)
