"""An optimizer that follows the curvature is told it before each epoch, and one that does not costs nothing."""

import numpy as np
import pytest

from lenet.data.loader import ImageTable
from lenet.data.samplers import Shuffle
from lenet.errors import UserError
from lenet.layers import RBF, Dropout, Flatten, Linear, ScaledTanh
from lenet.layers.base import Layer
from lenet.losses import CrossEntropy, MaximumAPosteriori
from lenet.network import Network
from lenet.optimizers import SGD, DiagonalLevenbergMarquardt, Optimizer
from lenet.schedules import Constant
from lenet.training.engine import Engine
from lenet.training.trainer import Trainer
from tests.helpers import backend

IMAGES, BATCH = 40, 16
LAYERS = (Flatten(), Linear(6), ScaledTanh(), Linear(10))


def trainer(optimizer: Optimizer, layers: tuple[Layer, ...] = LAYERS, loss=None, dtype="float64", epochs=3) -> Trainer:
    generator, on = np.random.default_rng(0), backend(dtype)
    images = generator.integers(0, 256, (IMAGES, 1, 3, 4)).astype(np.uint8)
    network = Network(layers, (1, 3, 4), 10, on)
    network.initialize("lecun_normal", generator)
    table = ImageTable(images, generator.integers(0, 10, IMAGES), 128.0, 64.0, on)
    return Trainer(
        engine=Engine(network, {"train": table}, loss or CrossEntropy(), on),
        optimizer=optimizer,
        schedule=Constant(),
        sampler=Shuffle(BATCH),
        epochs=epochs,
        seed=0,
        validate=lambda epoch: {},
    )


def watched(trainer: Trainer, monkeypatch) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Return a list that gets the step, the images drawn and the curvature found, each time it is computed."""
    seen, curvature = [], trainer.engine.curvature

    def watch(table, indices):
        seen.append((trainer.progress.step, indices.copy(), curvature(table, indices)))
        return seen[-1][2]

    monkeypatch.setattr(trainer.engine, "curvature", watch)
    return seen


def test_the_curvature_is_taken_before_each_epoch_on_images_drawn_anew(monkeypatch):
    optimizer = DiagonalLevenbergMarquardt(mu=0.5, images=7)
    t = trainer(optimizer)
    seen, followed = watched(t, monkeypatch), []
    with t.engine:
        for _ in t.train(lambda progress: None):
            followed.append(optimizer.state["damped"].copy())
    assert [step for step, _, _ in seen] == [0, 3, 6]
    np.testing.assert_array_equal(followed, [0.5 + curvature for _, _, curvature in seen])
    draws = [tuple(indices) for _, indices, _ in seen]
    assert len(set(draws)) == 3
    assert {len(drawn) for drawn in draws} == {7}
    assert max(map(max, draws)) >= BATCH  # from all images, not those of a batch


def test_who_does_not_ask_for_the_curvature_does_not_pay_for_it(monkeypatch):
    t = trainer(SGD(lr=0.1))
    seen = watched(t, monkeypatch)
    with t.engine:
        assert len(list(t.train(lambda progress: None))) == 3
    assert seen == []


def test_a_layer_without_curvature_is_refused_before_training():
    layers = (Flatten(), Dropout(name="drop"), Linear(10))
    trainer(SGD(), layers)
    with pytest.raises(UserError, match=r"`drop` \(Dropout\) has no curvature"):
        trainer(DiagonalLevenbergMarquardt(), layers)


def test_a_curvature_that_overflows_is_divergence_and_leaves_the_last_finite_state():
    # Squashed, the loss of weights of 1e25 is finite: their squares, by which curvatures pass, are not.
    layers = (Flatten(), Linear(6), ScaledTanh(), Linear(84), ScaledTanh(), RBF())
    t = trainer(DiagonalLevenbergMarquardt(lr=1e25), layers, MaximumAPosteriori(j=20.0), "float32", epochs=9)
    with t.engine:
        records = list(t.train(lambda progress: None))
    assert t.diverged
    assert t.progress.epoch == len(records) - 1 == 1
    assert t.progress.step == t.first_step(1)
    assert t.is_finite()


class Counting(SGD):
    """Keeps something besides its vectors, from its start or from its first step on."""

    def __init__(self, kept: object, late: bool = False) -> None:
        super().__init__()
        self.kept, self.late = kept, late

    def bind(self, theta, decays, backend):
        super().bind(theta, decays, backend)
        if not self.late:
            self.state["t"] = self.kept

    def _update(self, theta, gradient, lr, number):
        self.state["t"] = self.kept


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("kept", "shown"),
    [(0, "of type int"), (np.float64(1), "of type float64"), ([0.0], "of type list"), (np.zeros(3), "an array (3,)")],
)
def test_a_state_that_no_checkpoint_holds_is_refused(kept, shown, late):
    with pytest.raises(UserError) as info:
        t = trainer(Counting(kept, late))
        with t.engine:
            next(t.train(lambda progress: None))
    assert str(info.value) == (
        f"`optimizer` (tests.training.test_trainer.Counting): state['t'] is {shown}; accepted: arrays like theta, such "
        "as backend.zeros(theta.shape, theta.dtype). How many steps were taken is `number` in _update."
    )
