"""A sweep: one parent, a child for each job, and the answer on the parent."""

import csv

import pytest

from lenet.run import main
from lenet.sweep import job_name
from tests.conftest import SMALL, artifacts


def family(runs):
    parents = [run for run in runs if run.data.tags["lenet.kind"] == "sweep"]
    assert len(parents) == 1
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    return parents[0], sorted(children, key=lambda run: run.info.start_time)


def test_a_sweep_has_one_parent_with_a_child_for_each_value_and_names_the_best(workplace, records, capsys):
    assert main([*SMALL, "optimizer.lr=0.0001,0.02", "-m"]) == 0
    parent, children = family(records())
    assert [child.info.run_name for child in children] == ["lr=0.0001", "lr=0.02"]
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert [child.data.params["optimizer.lr"] for child in children] == ["0.0001", "0.02"]
    assert parent.data.params["optimizer.lr"] == "0.0001,0.02"
    assert parent.data.tags["best_run"] == children[1].info.run_id
    assert not any(key.startswith("sweep") for child in children for key in child.data.params)
    rows = list(csv.DictReader((artifacts(parent) / "sweep/results.csv").open()))
    assert [row["optimizer.lr"] for row in rows] == ["0.02", "0.0001"]
    assert float(rows[0]["best/val_accuracy"]) == children[1].data.metrics["best/val_accuracy"]
    assert (artifacts(parent) / "figures/sweep.png").stat().st_size > 5000
    output = capsys.readouterr().out
    assert "best val" in output
    assert "mlflow ui" in output


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
    assert "channels=5 FAILED: ArithmeticError: five channels" in capsys.readouterr().out


def test_data_that_cannot_be_had_is_the_job_s_failure(workplace, records, capsys):
    assert main([*SMALL, "data.images=digits.npz,missing.npz", "-m"]) == 1
    _, children = family(records())
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED"]
    assert "missing.npz" in capsys.readouterr().out


def test_the_same_sweep_twice_makes_two_and_loses_nothing(workplace, records):
    for _ in range(2):
        assert main([*SMALL, "trainer.figures=none", "seed=0,1", "-m"]) == 0
    kinds = [run.data.tags["lenet.kind"] for run in records()]
    assert sorted(kinds) == ["job"] * 4 + ["sweep"] * 2


@pytest.mark.parametrize(
    ("overrides", "keys", "name"),
    [
        (["optimizer.lr=0.005", "seed=3"], ["optimizer.lr"], "lr=0.005"),
        (["optimizer=sgd", "seed=1"], ["optimizer", "seed"], "optimizer=sgd,seed=1"),
        (["+a.x=1", "b.x=2"], ["a.x", "b.x"], "a.x=1,b.x=2"),
    ],
)
def test_jobs_are_named_by_what_differs(overrides, keys, name):
    assert job_name(overrides, keys) == name
