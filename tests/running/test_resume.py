"""`python -m lenet.resume`: a run that was stopped anywhere comes out as if it never was."""

import shutil

import pytest

from lenet import checkpoint, reproduce, resume
from tests.conftest import Stopped, artifacts
from tests.sameness import assert_same, points
from tests.stopping import STEPS, train

CASES = {
    "momentum": [],
    "nesterov": ["optimizer=nesterov", "optimizer.weight_decay=0.01", "optimizer.clip_norm=0.5"],
    "sgd, one per block": ["optimizer=sgd", "trainer.sampler=one_per_block", "data.validation=report"],
    "onecycle": ["schedule=onecycle"],
    "plateau": ["schedule=plateau", "schedule.patience=0", "schedule.threshold=0.5", "schedule.warmup=0.5"],
    "float64": ["backend.dtype=float64", "backend.threads=1"],
    "early stopping": ["trainer.epochs=9", "trainer.early_stopping=2", "optimizer.lr=0.000001"],
    "adam and draws": ["optimizer=adamw", "optimizer.weight_decay=0.1", "network=lenet5_dropout", "loss.smoothing=0.1"],
    "running averages": ["network=lenet5_batchnorm", "optimizer=rmsprop", "optimizer.decay_biases=true"],
    "augmentation": ["augmentation=elastic", "augmentation.sigma=2"],
    "curvature": ["optimizer=diagonal_lm", "optimizer.lr=0.001", "optimizer.images=40"],
    "divergence": ["optimizer=sgd", "optimizer.lr=1e25"],
}

EVERY, STOPS = ("1", "4steps", "1000"), (0, 3, 6, 8, 15)
QUICK = {"momentum": {("4steps", 8), ("1", 15)}, "running averages": {("4steps", 8)}, "adam and draws": {("4steps", 8)}}
"""The others are slow: the first case's all, and of each other these."""
SOME = {("4steps", 3), ("4steps", 8), ("1", 6), ("1", 15), ("1000", 0), ("1000", 8)}


def moments():
    for case in CASES:
        for every in EVERY:
            for step in STOPS:
                if case == "divergence" and step >= STEPS:
                    continue  # it ends in its first epoch
                if case != "momentum" and (every, step) not in SOME:
                    continue  # when it stops and what it trains do not depend on each other
                marks = [] if (every, step) in QUICK.get(case, ()) else [pytest.mark.slow]
                yield pytest.param(case, every, step, marks=marks, id=f"{case}-{every}-{step}")


@pytest.mark.parametrize(("case", "every", "step"), list(moments()))
def test_a_run_that_was_stopped_comes_out_as_if_it_never_was(case, every, step, client, records, stop_at):
    settings = [*CASES[case], f"trainer.checkpoint_every={every}"]
    assert train(*settings) == 0
    stop_at(step)
    with pytest.raises(Stopped):
        train(*settings)
    assert resume.main(["last"]) == 0
    again, whole = records()
    assert again.data.tags["lenet.resumed"] == "1"
    assert_same(client, again, whole)


def test_the_checkpoint_of_a_run_that_is_stopped_in_an_epoch_says_the_step(client, records, stop_at):
    assert train() == 0
    stop_at(8, saving=True)
    with pytest.raises(Stopped):
        train()
    saved = checkpoint.load(artifacts(records()[0]) / "checkpoints/last.npz")
    assert (saved.meta["epoch"], saved.meta["step"], len(saved.meta["history"])) == (1, 8, 1)
    assert saved.meta["loss"] > 0
    assert {name.partition("/")[0] for name in saved.arrays} == {"param", "velocity", "epoch_start"}
    assert resume.main([records()[0].info.run_id[:10]]) == 0
    assert_same(client, *records())


@pytest.mark.slow
def test_a_run_is_stopped_and_gone_on_with_many_times(client, records, stop_at):
    assert train("trainer.checkpoint_every=2steps") == 0
    stop_at(1)
    with pytest.raises(Stopped):
        train("trainer.checkpoint_every=2steps")
    for step in (3, 5, 6, 7, 11, 12, 17):
        stop_at(step)
        with pytest.raises(Stopped):
            resume.main(["last"])
    assert resume.main(["last"]) == 0
    again, whole = records()
    assert again.data.tags["lenet.resumed"] == "8"
    assert_same(client, again, whole)


def test_a_broken_off_step_is_not_part_of_the_checkpoint(client, records, monkeypatch):
    from lenet.optimizers import Momentum

    update = Momentum._update

    def broken(self, theta, gradient, lr, number):
        update(self, theta, gradient, lr, number)
        if self.count == 8:
            monkeypatch.setattr(Momentum, "_update", update)
            raise Stopped  # as a second Ctrl-C does: the weights have moved, the step is not counted
        self.count += 1

    assert train() == 0
    monkeypatch.setattr(Momentum, "count", 0, raising=False)
    monkeypatch.setattr(Momentum, "_update", broken)
    with pytest.raises(Stopped):
        train()
    saved = checkpoint.load(artifacts(records()[0]) / "checkpoints/last.npz")
    assert (saved.meta["epoch"], saved.meta["step"]) == (1, STEPS)
    assert resume.main(["last"]) == 0
    assert_same(client, *records())


def test_a_run_that_stopped_before_it_had_recorded_its_configuration_is_known_all_the_same(
    client, records, monkeypatch
):
    from lenet.running import experiment

    def stopped(*arguments):
        raise Stopped

    assert train("seed=3") == 0
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(experiment, "describe", stopped)
        train("seed=3")
    assert not (artifacts(records()[0]) / "config").exists()
    assert resume.main(["last"]) == 0
    assert_same(client, *records())
    again, whole = records()
    for name in ("config/config.yaml", "config/overrides.yaml"):
        assert (artifacts(again) / name).read_text() == (artifacts(whole) / name).read_text()
    assert not any(tag.startswith("lenet.configuration") for run in (again, whole) for tag in run.data.tags)


def test_a_run_that_was_killed_before_its_parameters_gets_them(records, client, monkeypatch):
    from lenet.running import experiment
    from lenet.tracking.run import Run

    def stopped(*arguments):
        raise Stopped

    assert train() == 0
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Run, "log_params", lambda self, params: None)
        patch.setattr(experiment, "describe", stopped)
        train()
    assert records()[0].data.params == {}
    assert resume.main(["last"]) == 0
    again, whole = records()
    assert again.data.params == whole.data.params
    assert_same(client, again, whole)
    assert reproduce.main([again.info.run_id]) == 0


def test_a_range_test_goes_on_from_its_start(client, records, stop_at):
    test = ["experiment=lr_range_test", "trainer.epochs=4", "schedule.high=0.5"]
    assert train(*test) == 0
    stop_at(8)
    with pytest.raises(Stopped):
        train(*test, "trainer.checkpoint_every=2steps")
    assert resume.main(["last"]) == 0
    again, whole = records()
    assert points(client, again) == points(client, whole)
    assert again.data.tags["lr_range"] == whole.data.tags["lr_range"]


def test_what_a_killed_write_left_behind_is_removed(records, stop_at):
    stop_at(8)
    with pytest.raises(Stopped):
        train("trainer.checkpoint_every=2steps")
    folder = artifacts(records()[0]) / "checkpoints"
    shutil.copy(folder / "last.npz", folder / ".last.npz.0123abcd")
    assert resume.main(["last"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["best.npz", "last.npz"]


def test_points_that_were_not_delivered_are_recorded_from_the_checkpoint(client, records, stop_at, monkeypatch):
    from lenet.tracking.run import Run

    assert train() == 0
    stop_at(15, saving=True)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Run, "flush", lambda self: None)
        train()
    assert "train/loss" not in records()[0].data.metrics
    assert resume.main(["last"]) == 0
    assert_same(client, *records())
