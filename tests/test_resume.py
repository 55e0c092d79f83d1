"""`python -m lenet.resume`: a run that was stopped anywhere comes out as if it never was, or says why it cannot."""

import json
import shutil
import sqlite3

import numpy as np
import pytest
import yaml
from mlflow import MlflowClient

from lenet import checkpoint, reproduce, resume
from lenet.errors import UserError
from lenet.run import main
from lenet.training.keeper import Keeper
from tests.conftest import SMALL, artifacts, save_digits
from tests.sameness import arrays, assert_same, points

STEPS = 6
"""Steps of an epoch of `SMALL`: 87 images in batches of 16."""


class Stopped(BaseException):
    """Ends a run like nothing that it knows of."""


@pytest.fixture
def client(workplace):
    return MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")


@pytest.fixture
def stop_at(monkeypatch):
    """Return what ends the next run before a step, its last checkpoint being the one that was due last."""

    def stop(step, saving=False):
        on_step = Keeper.on_step

        def stopping(self):
            on_step(self)
            if self.trainer.progress.step == step:
                monkeypatch.setattr(Keeper, "on_step", on_step)
                if not saving:
                    self.save = lambda: None
                raise Stopped

        monkeypatch.setattr(Keeper, "on_step", stopping)

    return stop


def train(*arguments):
    return main([*SMALL, "trainer.figures=none", *arguments])


CASES = {
    "momentum": [],
    "nesterov": ["optimizer=nesterov", "optimizer.weight_decay=0.01", "optimizer.clip_norm=0.5"],
    "sgd, one per block": ["optimizer=sgd", "trainer.sampler=one_per_block", "data.validation=report"],
    "onecycle": ["schedule=onecycle"],
    "plateau": ["schedule=plateau", "schedule.patience=0", "schedule.threshold=0.5", "schedule.warmup=0.5"],
    "float64": ["backend.dtype=float64", "backend.threads=1"],
    "early stopping": ["trainer.epochs=9", "trainer.early_stopping=2", "optimizer.lr=0.000001"],
    "divergence": ["optimizer=sgd", "optimizer.lr=1e25"],
}


EVERY, STOPS = ("1", "4steps", "1000"), (0, 3, 6, 8, 15)
FEW = {("4steps", 3), ("4steps", 8), ("1", 15)}
"""Of each case; the others are slow, in all."""


def moments():
    for case in CASES:
        for every in EVERY:
            for step in STOPS:
                if case == "divergence" and step >= STEPS:
                    continue  # it ends in its first epoch
                marks = [] if (every, step) in FEW else [pytest.mark.slow]
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

    def broken(self, theta, gradient, lr):
        update(self, theta, gradient, lr)
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
    import lenet.experiment

    def stopped(*arguments):
        raise Stopped

    assert train("seed=3") == 0
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(lenet.experiment, "describe", stopped)
        train("seed=3")
    assert not (artifacts(records()[0]) / "config").exists()
    assert resume.main(["last"]) == 0
    assert_same(client, *records())
    again, whole = records()
    for name in ("config/config.yaml", "config/overrides.yaml"):
        assert (artifacts(again) / name).read_text() == (artifacts(whole) / name).read_text()
    assert not any(tag.startswith("lenet.configuration") for run in (again, whole) for tag in run.data.tags)


def test_a_finished_run_is_extended_as_if_it_had_been_longer_from_the_start(client, records, capsys):
    assert train("trainer.epochs=5", "schedule=exponential", "schedule.gamma=0.8") == 0
    assert train("schedule=exponential", "schedule.gamma=0.8") == 0
    before = (artifacts(records()[0]) / "config/config.yaml").read_text()
    assert resume.main(["last", "trainer.epochs=5"]) == 0
    longer, whole = records()
    tags = longer.data.tags
    assert tags["lenet.changed.trainer.epochs"] == "5"
    assert tags["lenet.config"] == whole.data.tags["lenet.config"]
    assert arrays(longer) == arrays(whole)
    ours, theirs = points(client, longer), points(client, whole)
    ends = {"test/loss", "test/accuracy", "best/val_accuracy"}
    assert {m: p for m, p in ours.items() if m not in ends} == {m: p for m, p in theirs.items() if m not in ends}
    assert all([p[0] for p in ours[metric]] == [3, 5] and ours[metric][-1:] == theirs[metric] for metric in ends)
    assert yaml.safe_load((artifacts(longer) / "config/config.yaml").read_text())["trainer"]["epochs"] == 5
    assert (artifacts(longer) / "resumed/1/config_before.yaml").read_text() == before
    log = (artifacts(longer) / "log.txt").read_text()
    assert log.count("epoch 3/3") == log.count("epoch 5/5") == 1


@pytest.mark.parametrize("schedule", ["linear", "cosine", "onecycle"])
def test_a_schedule_that_spreads_over_all_epochs_is_not_extended(schedule, records, capsys):
    assert train(f"schedule={schedule}") == 0
    before = records()
    assert resume.main(["last", "trainer.epochs=5"]) == 2
    error = capsys.readouterr().err
    assert "trainer.epochs" in error
    assert "at the rate" in error
    assert unchanged(before, records())


def unchanged(before, after):
    return [repr(run.to_dictionary()) for run in before] == [repr(run.to_dictionary()) for run in after]  # NaN != NaN


@pytest.mark.parametrize(
    ("settings", "asked", "said"),
    [
        ([], [], "finished 3 epochs, and trainer.epochs is 3"),
        ([], ["trainer.epochs=2"], "Accepted: trainer.epochs=4 or more"),
        (["trainer.epochs=9", "trainer.early_stopping=2", "optimizer.lr=1e-6"], ["trainer.epochs=20"], "stopped early"),
        (["optimizer=sgd", "optimizer.lr=1e25"], ["trainer.epochs=5"], "diverged"),
        (["trainer.checkpoints=best"], ["trainer.epochs=5"], "no checkpoints/last.npz"),
        ([], ["trainer.epoch=5"], "Did you mean `trainer.epochs`?"),
        ([], ["optimizer.lr=0.1"], "`optimizer.lr` is part of what the run is"),
        ([], ["trainer.epochs=4,5"], "not a single value"),
        ([], ["backend=numpy"], "`backend` cannot be changed as a whole"),
        ([], ["trainer.checkpoints=best"], "`trainer.checkpoints` is part of what the run is"),
        (["experiment=lr_range_test"], ["trainer.epochs=9"], "is a range test"),
        ([], ["trainer.epochs=many"], "`trainer.epochs` is 'many'"),
        ([], ["+trainer.epochs=5"], "not a single value"),
        ([], ["trainer.epochs='"], "Cannot read"),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(settings, asked, said, records, capsys):
    assert train(*settings) == 0
    before = records()
    capsys.readouterr()
    assert resume.main(["last", *asked]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert unchanged(before, records())


def test_early_stopping_can_be_lifted_and_the_run_reproduced(records):
    settings = ["trainer.early_stopping=2", "optimizer.lr=1e-6", "trainer.epochs=9"]
    assert train(*settings) == 0
    assert records()[0].data.tags["stopped_early"] == "true"
    assert resume.main(["last", "trainer.early_stopping=null"]) == 0
    run = records()[0]
    assert [p.step for p in MlflowClient().get_metric_history(run.info.run_id, "lr")] == list(range(1, 10))
    assert "stopped_early" not in run.data.tags
    assert reproduce.main(["last"]) == 0


@pytest.mark.parametrize(
    ("every", "asked", "said"),
    [
        ("2steps", "trainer.epochs=1", "has begun 2 epochs, and trainer.epochs is 1"),
        ("2steps", "trainer.early_stopping=1", "could have stopped it before"),
        ("1000", "trainer.epochs=5", "has no checkpoint and goes on from its start"),
        ("1000", "trainer.epochs=1", "trainer.epochs stays 3"),
    ],
)
def test_what_was_done_of_an_interrupted_run_is_not_undone(every, asked, said, records, capsys, stop_at):
    stop_at(8)
    with pytest.raises(Stopped):
        train(f"trainer.checkpoint_every={every}")
    before = records()
    capsys.readouterr()
    assert resume.main(["last", asked]) == 2
    assert said in capsys.readouterr().err
    assert unchanged(before, records())


@pytest.mark.parametrize("more", [[], ["trainer.epochs=4"]])
def test_an_interrupted_run_may_become_longer(more, client, records, stop_at):
    assert train(*more) == 0
    stop_at(8)
    with pytest.raises(Stopped):
        train("trainer.checkpoint_every=2steps")
    assert resume.main(["last", *more, "trainer.checkpoint_every=10s"]) == 0
    again, whole = records()
    again.data.tags["lenet.config"] = whole.data.tags["lenet.config"]
    assert_same(client, again, whole)


def test_a_run_that_was_killed_before_its_parameters_gets_them(records, client, monkeypatch):
    import lenet.experiment
    from lenet.tracking.run import Run

    def stopped(*arguments):
        raise Stopped

    assert train() == 0
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Run, "log_params", lambda self, params: None)
        patch.setattr(lenet.experiment, "describe", stopped)
        train()
    assert records()[0].data.params == {}
    assert resume.main(["last"]) == 0
    again, whole = records()
    assert again.data.params == whole.data.params
    assert_same(client, again, whole)
    assert reproduce.main([again.info.run_id]) == 0


def test_other_code_is_said_and_remembered(records, capsys, monkeypatch, stop_at):
    stop_at(8)
    with pytest.raises(Stopped):
        train("trainer.checkpoint_every=2steps")
    client = MlflowClient()
    client.set_tag(records()[0].info.run_id, "lenet.code", "0")
    capsys.readouterr()
    assert resume.main(["last"]) == 0
    assert "lenet's code" in capsys.readouterr().out
    assert records()[0].data.tags["lenet.code"] == "several"
    assert reproduce.main(["last"]) == 0
    assert "lenet's code" in capsys.readouterr().out


def test_a_link_out_of_the_artifacts_is_not_followed(workplace, records, capsys, stop_at):
    stop_at(8)
    with pytest.raises(Stopped):
        train("trainer.checkpoint_every=2steps")
    outside = workplace / "outside"
    (artifacts(records()[0]) / "checkpoints").rename(outside)
    (artifacts(records()[0]) / "checkpoints").symlink_to(outside)
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    assert resume.main(["last"]) == 1
    assert "leads out of the run's artifacts" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before


def test_artifacts_are_written_to_no_place_that_a_store_makes_up(workplace, records, capsys, stop_at):
    stop_at(8)
    with pytest.raises(Stopped):
        train("trainer.checkpoint_every=2steps")
    place = workplace / "mine"
    shutil.copytree(artifacts(records()[0]), place)
    (place / ".notes.0123abcd").touch()
    with sqlite3.connect(workplace / "mlflow.db") as connection:
        connection.execute("UPDATE runs SET artifact_uri = ?", (str(place),))
    connection.close()
    assert resume.main(["last"]) == 2
    assert "no folder of this run" in capsys.readouterr().err
    assert (place / ".notes.0123abcd").exists()


def test_nothing_in_a_store_steers_the_terminal(workplace, records, capsys):
    assert train() == 0
    run_id = records()[0].info.run_id
    client = MlflowClient()
    client.update_run(run_id, name="evil\x1b]0;x\x07\x1b[31mred")
    config = artifacts(records()[0]) / "config/config.yaml"
    for command in (lambda: resume.main([run_id]), lambda: resume.main([run_id, "trainer.epochs=4"])):
        command()
        assert "\x1b" not in "".join(capsys.readouterr())
    config.write_text(config.read_text().replace("seed: 0", '"se\\ed": 0'))
    assert reproduce.main([run_id]) == 2
    output = "".join(capsys.readouterr())
    assert "\x1b" not in output
    assert "found the key" in output


def test_a_step_that_no_epoch_has_is_refused_at_once(records, capsys, stop_at):
    stop_at(8, saving=True)
    with pytest.raises(Stopped):
        train()
    altered(artifacts(records()[0]) / "checkpoints/last.npz", lambda a, m: m.update(step=10**12))
    assert resume.main(["last", "trainer.epochs=4"]) == 2
    assert "where an epoch has 6 steps" in capsys.readouterr().err


def test_more_threads_than_there_is_work_are_not_started(records, stop_at):
    assert train("backend.threads=100000") == 0


def test_a_job_is_left_to_its_sweep_while_that_lives(workplace, records, capsys):
    from lenet.tracking.store import Store

    store = Store(f"sqlite:///{workplace / 'mlflow.db'}", "lenet")
    parent = store.start_run("sweep", kind="sweep")
    job = store.start_run("job", parent=parent.id)
    job.close("KILLED")
    finder_record = store.children(parent.id)[0]
    with pytest.raises(UserError, match="left to it"):
        store.reopen(finder_record)


@pytest.mark.parametrize("words", [[], ["a", "b"], ["trainer.epochs=4"]])
def test_one_run_is_named(words, workplace, capsys):
    assert resume.main(words) == 2
    assert "one run is needed" in capsys.readouterr().err


def test_a_sweep_is_continued_by_its_own_command_and_a_job_by_this_one(records, capsys, stop_at):
    stop_at(8)
    with pytest.raises(Stopped):
        train("seed=0,1", "-m", "hydra/launcher=basic", "trainer.checkpoint_every=2steps")
    assert resume.main(["last"]) == 2
    assert "sweep.resume=" in capsys.readouterr().err
    assert resume.main(["seed=0"]) == 0
    assert next(run for run in records() if run.info.run_name == "seed=0").info.status == "FINISHED"


def test_data_that_have_changed_are_refused(workplace, records, capsys, stop_at):
    stop_at(8)
    with pytest.raises(Stopped):
        train("trainer.checkpoint_every=2steps")
    before = records()
    save_digits(workplace / "digits.npz", 150)
    assert resume.main(["last"]) == 2
    assert "the data are not those" in capsys.readouterr().err
    assert unchanged(before, records())
    save_digits(workplace / "elsewhere.npz")
    (workplace / "digits.npz").unlink()
    assert resume.main(["last", "data.images=elsewhere.npz"]) == 0


def altered(path, change):
    saved = checkpoint.load(path)
    arrays_, meta = dict(saved.arrays), json.loads(json.dumps(dict(saved.meta)))
    change(arrays_, meta)
    del meta["format"]
    path.write_bytes(checkpoint.dumps(arrays_, meta))


def _not_finite(arrays_, meta):
    arrays_["param/conv1/weight"] = np.full_like(arrays_["param/conv1/weight"], np.nan)


ALTERATIONS = {
    "not finite": (_not_finite, "not finite"),
    "missing": (lambda a, m: a.pop("velocity/conv1/bias"), "`velocity/conv1/bias` is missing"),
    "extra": (lambda a, m: a.update(more=np.zeros(3)), "`more`"),
    "dtype": (lambda a, m: a.update({"param/conv1/bias": np.zeros(6)}), "float64"),
    "no epoch start": (lambda a, m: [a.pop(n) for n in list(a) if n.startswith("epoch_start")], "epoch_start/"),
    "step": (lambda a, m: m.update(step=40), "step 40"),
    "negative step": (lambda a, m: m.update(step=-1), "`step`"),
    "epoch": (lambda a, m: m.update(epoch="1"), "`epoch`"),
    "history": (lambda a, m: m.update(history=[]), "history has 0 epochs"),
    "record": (lambda a, m: m["history"][0].pop("lr"), "not every epoch"),
    "sums": (lambda a, m: m.update(loss=float("nan")), "`loss`"),
    "configuration": (lambda a, m: m["config"]["optimizer"].update(lr=1.0), "`optimizer.lr` 1.0"),
    "no configuration": (lambda a, m: m.update(config=3), "was made with"),
    "data": (lambda a, m: m.update(data_digest="0"), "the data are not those"),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_a_checkpoint_that_does_not_fit_is_refused_and_nothing_changed(alteration, records, capsys, stop_at):
    stop_at(8, saving=True)
    with pytest.raises(Stopped):
        train()
    before = records()
    change, said = ALTERATIONS[alteration]
    path = artifacts(before[0]) / "checkpoints/last.npz"
    altered(path, change)
    data = path.read_bytes()
    capsys.readouterr()
    assert resume.main(["last"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert unchanged(before, records())
    assert path.read_bytes() == data


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
