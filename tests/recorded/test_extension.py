"""`python -m lenet.resume RUN key=value`: what may be changed of a run, and what is refused with the reason."""

import pytest
import yaml
from mlflow import MlflowClient

from lenet import reproduce, resume
from lenet.errors import UserError
from tests.conftest import Stopped, artifacts, save_digits
from tests.sameness import arrays, assert_same, points
from tests.stopping import train, unchanged


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


def test_more_threads_than_there_is_work_are_not_started(workplace, monkeypatch):
    from lenet.training import engine

    members = []

    def counted(number, *arguments):
        members.append(number)
        return crew(number, *arguments)

    crew = engine.Crew
    monkeypatch.setattr(engine, "Crew", counted)
    assert train("backend.threads=100000") == 0
    assert members == [engine.LANES]


def test_a_store_of_another_address_is_no_change_of_the_run(workplace, records):
    assert train() == 0
    assert resume.main(["last", "trainer.epochs=4", f"tracking.uri=sqlite:///{workplace / 'mlflow.db'}"]) == 0
    changed = {tag for tag in records()[0].data.tags if tag.startswith("lenet.changed")}
    assert changed == {"lenet.changed.trainer.epochs"}


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
