"""A sweep: one parent, a child for each job, and the answer on the parent."""

import csv
import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from lenet.configuration.config import CommandLine, read
from lenet.run import main
from lenet.sweeps.answer import rerun
from lenet.sweeps.jobs import job_name, swept_values
from lenet.sweeps.sweep import _sweep_name
from lenet.tracking.finding import Finder
from tests.conftest import SMALL, artifacts, environment, family


def test_a_sweep_has_one_parent_with_a_child_for_each_value_and_names_the_best(workplace, records, capsys):
    assert main([*SMALL, "optimizer.lr=0.0001,0.02", "-m"]) == 0
    parent, children = family(records())
    assert [child.info.run_name for child in children] == ["lr=0.0001", "lr=0.02"]
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert [child.data.params["optimizer.lr"] for child in children] == ["0.0001", "0.02"]
    assert parent.data.params["optimizer.lr"] == "0.0001,0.02"
    assert parent.data.tags["best_run"] == children[1].info.run_id
    assert parent.data.metrics["test/accuracy"] == children[1].data.metrics["test/accuracy"]
    assert not any(key.startswith("sweep") for child in children for key in child.data.params)
    rows = list(csv.DictReader((artifacts(parent) / "sweep/results.csv").open()))
    assert [row["optimizer.lr"] for row in rows] == ["0.02", "0.0001"]
    assert float(rows[0]["best/val_accuracy"]) == children[1].data.metrics["best/val_accuracy"]
    drawn = {path.name: path.stat().st_size for path in (artifacts(parent) / "figures").iterdir()}
    assert sorted(drawn) == ["curves_val_accuracy.png", "curves_val_loss.png", "sweep.png"]
    assert min(drawn.values()) > 5000
    output = capsys.readouterr().out
    assert re.search(r"^run +best +last +test +test +seconds +status$", output, re.MULTILINE)
    assert "mlflow ui" in output


@pytest.mark.slow
def test_a_sweep_of_an_experiment_is_found_by_the_experiment_s_name(workplace, records, capsys):
    (workplace / "own/experiments").mkdir(parents=True)
    swept = "hydra:\n  sweeper:\n    params:\n      optimizer.lr: 0.0001,0.02\n"
    (workplace / "own/experiments/rates.yaml").write_text(swept)
    command = [*SMALL, "--config-dir", "own", "experiment=rates", "-m"]
    assert main(command) == 0
    parent, children = family(records())
    assert parent.info.run_name == "rates"
    assert main([*command, "sweep.resume=rates"]) == 0
    resumed, counted_in = family(records())
    assert (resumed.info.run_id, resumed.info.run_name) == (parent.info.run_id, "rates")
    assert {child.info.run_id for child in counted_in} == {child.info.run_id for child in children}
    best = Finder(f"sqlite:///{workplace / 'mlflow.db'}").find("best:rates")
    assert best.id == resumed.data.tags["best_run"]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["optimizer.lr=0.1,0.2"], "sweep lr=0.1,0.2"),
        (["experiment=sweep_lr"], "sweep_lr"),
        (["experiment='sweep_lr'", "seed=3,4"], "sweep_lr seed=3,4"),
        (["experiment=[ladder_02_weights,fastest]", "seed=0,1"], "ladder_02_weights+fastest seed=0,1"),
        (["experiment=fastest,ladder_02_weights"], "sweep experiment=fastest,ladder_02_weights"),
    ],
)
def test_a_sweep_is_called_by_its_experiment_and_by_what_the_command_line_sweeps(arguments, name):
    assert _sweep_name(read([*arguments, "-m"])) == name


@pytest.mark.slow
def test_two_swept_keys_are_drawn_as_a_map(workplace, records):
    assert main([*SMALL, "trainer.figures=none", "optimizer.lr=0.01,0.02", "optimizer.momentum=0,0.9", "-m"]) == 0
    parent, _ = family(records())
    assert (artifacts(parent) / "figures/heat_map.png").stat().st_size > 5000


@pytest.mark.slow
def test_over_several_seeds_it_tells_means_and_the_best_run_s_own_command(workplace, records, capsys):
    arguments = [*SMALL, "trainer.figures=none", "trainer.epochs=1"]
    assert main([*arguments, "optimizer.lr=0.001,0.02", "seed=0,1", "-m"]) == 0
    output = capsys.readouterr().out
    assert len(re.findall(r"\d ± \d", output)) == 2 * 3
    parent, children = family(records())
    assert "Mean ± standard deviation" in (artifacts(parent) / "sweep/results.md").read_text()
    told = json.loads((artifacts(parent) / "sweep/best.json").read_text())
    best = next(child for child in children if child.info.run_id == parent.data.tags["best_run"])
    assert told["params"] == best.data.params
    assert told["metrics"] == best.data.metrics
    again = shlex.split(parent.data.tags["best_command"])
    assert again[:3] == ["python", "-m", "lenet.run"]
    assert main(again[3:]) == 0
    run = records()[0]
    assert "mlflow.parentRunId" not in run.data.tags
    measured = ("samples_per_second",)
    assert {k: v for k, v in run.data.metrics.items() if k not in measured} == {
        k: v for k, v in best.data.metrics.items() if k not in measured
    }


def test_a_job_that_fails_does_not_stop_the_others_and_is_named_with_its_reason(
    workplace, records, monkeypatch, capsys
):
    (workplace / "moody.py").write_text(
        "from lenet.layers import ReLU\n"
        "class Moody(ReLU):\n"
        "    def forward(self, x):\n"
        "        if x.shape[1] == 5:\n"
        "            raise ArithmeticError('five channels')\n"
        "        return super().forward(x)\n"
    )
    monkeypatch.syspath_prepend(str(workplace))
    broken = ["network.layers.1._target_=moody.Moody", "~network.layers.1.function"]
    assert main([*SMALL, *broken, "trainer.figures=none", "network.layers.0.channels=4,5,6", "-m"]) == 1
    parent, children = family(records())
    assert [child.info.status for child in children] == ["FINISHED", "FAILED", "FINISHED"]
    assert parent.info.status == "FAILED"
    assert "five channels" in children[1].data.tags["lenet.error"]
    told = "layer `activation1` (moody.Moody) raised ArithmeticError: five channels (moody.py, line 5)"
    assert f"channels=5 FAILED: {told}" in capsys.readouterr().out


def test_data_that_cannot_be_had_is_the_job_s_failure(workplace, records, capsys):
    assert main([*SMALL, "data.images=digits.npz,missing.npz", "-m"]) == 1
    _, children = family(records())
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED"]
    assert "missing.npz" in capsys.readouterr().out


@pytest.mark.slow
def test_the_same_sweep_twice_makes_two_and_loses_nothing(workplace, records):
    for _ in range(2):
        assert main([*SMALL, "trainer.figures=none", "seed=0,1", "-m"]) == 0
    kinds = [run.data.tags["lenet.kind"] for run in records()]
    assert sorted(kinds) == ["job"] * 4 + ["sweep"] * 2


@pytest.mark.slow
def test_a_sweep_over_a_group_says_which_option_each_job_had(workplace, records):
    assert main([*SMALL, "trainer.figures=none", "optimizer=sgd,momentum", "-m"]) == 0
    parent, children = family(records())
    assert [child.info.run_name for child in children] == ["optimizer=momentum", "optimizer=sgd"]
    rows = list(csv.DictReader((artifacts(parent) / "sweep/results.csv").open()))
    assert {row["optimizer"] for row in rows} == {"sgd", "momentum"}
    assert parent.data.params["optimizer._target_"] == "lenet.optimizers.SGD,lenet.optimizers.Momentum"
    assert parent.data.params["optimizer.momentum"] == "0.9"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", *SMALL, "trainer.figures=none", "seed=0,1"],
        [*SMALL, "seed=0,1", "-m", "trainer.figures=none"],
        ["--multirun", *SMALL, "trainer.figures=none", "+network.layers.5.padding=0,1"],
        ["--config-dir", "own", *SMALL, "trainer.figures=none", "experiment=pair", "-m"],
        ["--config-dir", "own", *SMALL, "trainer.figures=none", "experiment=pair_by_itself"],
    ],
)
def test_a_sweep_may_be_written_in_any_order_and_declared_in_an_experiment(arguments, workplace, records):
    (workplace / "own/experiment").mkdir(parents=True)
    declared = "# @package _global_\nhydra:\n  sweeper:\n    params:\n      seed: 3,4\n"
    (workplace / "own/experiment/pair.yaml").write_text(declared)
    (workplace / "own/experiment/pair_by_itself.yaml").write_text(declared + "  mode: MULTIRUN\n")
    assert main(arguments) == 0
    _, children = family(records())
    assert len(children) == 2
    assert len({child.info.run_name for child in children}) == 2


def test_a_job_that_cannot_even_be_built_does_not_stop_the_others(workplace, records, monkeypatch):
    (workplace / "awkward.py").write_text(
        "from lenet.layers import ReLU\n"
        "class Awkward(ReLU):\n"
        "    def setup(self, shape):\n"
        "        if shape[0] == 5:\n"
        "            raise AttributeError('no five')\n"
        "        return shape\n"
    )
    monkeypatch.syspath_prepend(str(workplace))
    awkward = ["network.layers.1._target_=awkward.Awkward", "~network.layers.1.function"]
    assert main([*SMALL, *awkward, "trainer.figures=none", "network.layers.0.channels=5,6", "-m"]) == 1
    _, children = family(records())
    assert [child.info.status for child in children] == ["FAILED", "FINISHED"]
    assert "no five" in children[0].data.tags["lenet.error"]


@pytest.mark.slow
def test_a_run_of_a_sweep_has_the_weights_of_the_same_run_alone_to_the_last_bit(workplace, records):
    arguments = [*SMALL, "trainer.figures=none"]
    assert main([*arguments, "seed=0,1,2", "-m"]) == 0
    _, children = family(records())
    for child in children:
        assert main([*arguments, child.info.run_name, "backend.threads=2"]) == 0
        paths = [artifacts(run) / "checkpoints/last.npz" for run in (child, records()[0])]
        one, other = (np.load(path) for path in paths)
        assert set(one) == set(other) > {"meta"}
        assert all(one[name].tobytes() == other[name].tobytes() for name in one if name != "meta")


@pytest.mark.slow
def test_a_job_that_is_given_twice_runs_once(workplace, records):
    assert main([*SMALL, "trainer.figures=none", "seed=0,0,1", "-m"]) == 0
    assert [child.info.run_name for child in family(records())[1]] == ["seed=0", "seed=1"]


def test_a_job_that_is_lost_before_it_has_a_run_is_recorded_with_the_reason(workplace, records, capsys):
    arguments = [*SMALL, "trainer.figures=none", "trainer.epochs=1,2", "hydra.sweep.subdir=" + "x" * 300, "-m"]
    assert main(arguments) == 1
    parent, children = family(records())
    assert [child.info.status for child in (parent, *children)] == ["FAILED"] * 3
    assert [child.info.run_name for child in children] == ["epochs=1", "epochs=2"]
    assert all("File name too long" in child.data.tags["lenet.error"] for child in children)
    output = capsys.readouterr()
    assert "Traceback" not in output.out + output.err


def test_jobs_that_would_be_recorded_in_two_places_are_refused(workplace, records, capsys):
    (workplace / "own/experiment").mkdir(parents=True)
    for name in ("one", "two"):
        text = f"# @package _global_\ntracking:\n  experiment: {name}\n"
        (workplace / f"own/experiment/{name}.yaml").write_text(text)
    assert main([*SMALL, "--config-dir", "own", "experiment=one,two", "-m"]) == 2
    assert "`tracking` differs between the jobs" in capsys.readouterr().err
    assert not (workplace / "mlruns").exists()


@pytest.mark.slow
@pytest.mark.parametrize("closed", [False, True])
def test_an_output_that_cannot_say_everything_or_is_closed_fails_no_sweep(closed, workplace, records):
    command = [sys.executable, "-m", "lenet.run", *SMALL, "trainer.figures=none", "seed=0,1", "-m"]
    shell = shlex.join(command) + (" >&-" if closed else "")
    done = subprocess.run(shell, shell=True, capture_output=True, env=environment() | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert family(records())[0].info.status == "FINISHED"


@pytest.mark.slow
def test_the_command_of_the_best_job_of_a_file_s_sweep_is_one_run(workplace, records):
    (workplace / "own/experiment").mkdir(parents=True)
    text = "# @package _global_\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      seed: 0,1\n"
    (workplace / "own/experiment/pair.yaml").write_text(text)
    assert main(["--config-dir", "own", *SMALL, "trainer.figures=none", "experiment=pair"]) == 0
    again = shlex.split(family(records())[0].data.tags["best_command"])
    assert main(again[3:]) == 0
    assert records()[0].data.tags["lenet.kind"] == "run"


@pytest.mark.parametrize(
    ("overrides", "keys", "name"),
    [
        (["optimizer.lr=0.005", "seed=3"], ["optimizer.lr"], "lr=0.005"),
        (["optimizer=sgd", "seed=1"], ["optimizer", "seed"], "optimizer=sgd,seed=1"),
        (["+a.x=1", "b.x=2"], ["a.x", "b.x"], "a.x=1,b.x=2"),
        (["a.x=0.022881136684755242", "b=dictionary_of_words"], ["a.x", "b"], "x=0.02288,b=dictionary_of_words"),
        (["seed=1"], [], None),
    ],
)
def test_jobs_are_named_by_what_differs(overrides, keys, name):
    assert job_name(swept_values(overrides, keys)) == name


def test_the_command_of_one_job_adds_what_the_sweep_added():
    overrides = ("+network.layers.2.padding=0,1", "seed=0,1", "trainer.epochs=1", "hydra.sweep.dir=x")
    command = CommandLine(("-m", "--config-dir=conf"), overrides, is_run=True, is_sweep=True)
    assert rerun(command, {"network.layers.2.padding": "1", "seed": "0"}) == (
        "python -m lenet.run --config-dir=conf trainer.epochs=1 +network.layers.2.padding=1 seed=0"
    )
