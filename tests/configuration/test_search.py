"""`hydra/sweeper=optuna`: a search, where its extra is installed."""

import csv
import shlex

import pytest

from lenet.configuration import extras
from lenet.run import main
from tests.conftest import SMALL, artifacts, family

QUICK = (*SMALL, "trainer.figures=none", "trainer.epochs=1", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "-m")
RATE = "optimizer.lr=tag(log, interval(0.001, 0.5))"

installed = pytest.mark.skipif(not extras.is_installed("hydra_optuna_sweeper"), reason="lenet[optuna] is not installed")


def test_without_the_extra_it_is_said_what_to_install(workplace, records, monkeypatch, capsys):
    monkeypatch.setattr(extras, "is_installed", lambda plugin: False)
    assert main([*QUICK, RATE]) == 2
    assert "`pip install -e '.[optuna]'` in lenet's folder" in capsys.readouterr().err
    assert records() == []


@installed
def test_a_search_draws_from_the_seed_and_records_its_trials_on_one_parent(workplace, records):
    assert main([*QUICK, RATE, "network.activation=relu,tanh"]) == 0
    parent, children = family(records())
    assert len(children) == 6
    assert parent.data.params["optimizer.lr"] == "tag(log, interval(0.001, 0.5))"
    assert parent.data.params["network.activation"] == "relu,tanh"
    rates = {float(child.data.params["optimizer.lr"]) for child in children}
    assert len(rates) == 6
    assert all(0.001 <= rate <= 0.5 for rate in rates)
    best = max(children, key=lambda child: child.data.metrics["best/val_accuracy"])
    found = next(child for child in children if child.info.run_id == parent.data.tags["best_run"])
    assert found.data.metrics["best/val_accuracy"] == best.data.metrics["best/val_accuracy"]
    assert (artifacts(parent) / "figures/sweep.png").exists()
    assert main([*QUICK, RATE, "network.activation=relu,tanh", "tracking.experiment=again"]) == 0
    assert main([*QUICK, RATE, "network.activation=relu,tanh", "tracking.experiment=other", "seed=1"]) == 0

    def names(experiment):
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
        runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
        return {run.info.run_name for run in runs if run.data.tags["lenet.kind"] == "job"}

    assert names("again") == names("lenet") != names("other")


@installed
def test_a_search_goes_on_where_it_was_left(workplace, records, capsys):
    assert main([*QUICK, RATE, "hydra.sweeper.n_trials=4"]) == 0
    assert main([*QUICK, RATE, "hydra.sweeper.n_trials=8", "sweep.resume=last"]) == 0
    parent, children = family(records())
    assert len(children) == 8
    assert capsys.readouterr().out.count("finished before") == 4
    assert len(list(csv.DictReader((artifacts(parent) / "sweep/results.csv").open()))) == 8


@installed
def test_ranges_may_stand_in_a_file_and_a_trial_that_fails_does_not_end_the_search(workplace, records):
    (workplace / "own/experiment").mkdir(parents=True)
    (workplace / "own/experiment/rates.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /hydra/sweeper: optuna\n"
        "hydra:\n  sweeper:\n    n_trials: 6\n    params:\n"
        "      optimizer.lr: tag(log, interval(0.001, 0.5))\n"
        "      data.images: digits.npz,missing.npz\n"
    )
    assert main([*SMALL[:1], *SMALL[2:], "trainer.epochs=1", "--config-dir", "own", "experiment=rates", "-m"]) == 1
    _, children = family(records())
    assert len(children) == 6
    assert {child.info.status for child in children} == {"FINISHED", "FAILED"}


@installed
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["optimizer.lr=interval(-1, 0.1)"], "`optimizer.lr` is -1"),
        (["optimizer.lr=interval(0.001, 0.1)", "network.activation=relu,tan"], "`network.activation` is 'tan'"),
        (["seed=3"], "a search needs a range"),
        (["optimizer.lr=interval(0.3, 0.1)"], "accepted: from low to high"),
        (["trainer.batch_size=interval(16, 64)"], "`trainer.batch_size` is"),
        ([RATE, "+hydra.sweeper.foo=1"], "`hydra.sweeper.foo`"),
        ([RATE, "hydra/sweeper/sampler=nope"], "nope"),
        ([RATE, "hydra.sweeper.n_trials=0"], "`hydra.sweeper.n_trials` is 0"),
        ([RATE, "hydra.sweeper.direction=minimize"], "`hydra.sweeper.direction` is 'minimize'"),
    ],
)
def test_both_ends_of_every_range_are_checked_first(arguments, said, workplace, records, capsys):
    assert main([*QUICK, *arguments]) == 2
    assert said in capsys.readouterr().err
    assert records() == []


@installed
def test_the_best_trial_of_a_file_s_search_has_a_command_of_its_own(workplace, records):
    assert main([*SMALL, "trainer.figures=none", "experiment=search", "hydra.sweeper.n_trials=2", "-m"]) == 0
    parent, _ = family(records())
    again = shlex.split(parent.data.tags["best_command"])
    assert main(again[3:]) == 0
    assert records()[0].data.tags["lenet.kind"] == "run"
    best = next(run for run in records() if run.info.run_id == parent.data.tags["best_run"])
    assert records()[0].data.metrics["best/val_accuracy"] == best.data.metrics["best/val_accuracy"]


@installed
def test_a_search_in_which_every_trial_fails_still_ends_in_its_summary(workplace, records, capsys):
    arguments = ["data=npz", "data.images=nowhere.npz", "trainer.epochs=1", "hydra/sweeper=optuna"]
    assert main([*arguments, RATE, "hydra.sweeper.n_trials=2", "-m"]) == 1
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["FAILED"] * 3
    assert len(list(csv.DictReader((artifacts(parent) / "sweep/results.csv").open()))) == 2
    output = capsys.readouterr()
    assert "Traceback" not in output.out + output.err
