"""Every experiment runs, and the report says what its results say."""

import dataclasses
import itertools
import json
import math
import subprocess
from types import SimpleNamespace

import pytest

from experiments import export, measure, report, results, sections
from experiments.results import FOLDER, Result, Run
from experiments.sections import ladder
from experiments.sections import report as course_report
from lenet import plots
from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.errors import UserError
from lenet.recorded.choosing import open_finder
from lenet.run import main
from lenet.schedules import Clock
from tests.conftest import SMALL

NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "search"])  # which needs lenet[optuna]
def test_every_experiment_takes_a_step(name, workplace, records):
    one_step = ["data=mnist_5k", "trainer.epochs=1", "trainer.batch_size=5000", "trainer.figures=none"]
    assert main([f"experiment={name}", *one_step]) == 0
    (run,) = records()
    assert run.info.status == "FINISHED"
    assert math.isfinite(run.data.metrics["test/loss"]) or run.data.tags["diverged"] == "true"


def test_the_best_rung_of_the_ladder_is_the_best_recipe():
    rung, best = (compose_config([f"experiment={name}"]) for name in ("ladder_09_decay", "best"))
    assert rung == best


def test_the_published_network_s_rates_are_those_of_the_paper():
    plan = build(compose_config(["experiment=lenet5_1998"]))
    rates = [plan.optimizer.lr * plan.schedule(Clock(60_000 * epoch, 60_000, 20)) for epoch in range(20)]
    assert rates == pytest.approx([5e-4] * 2 + [2e-4] * 3 + [1e-4] * 3 + [5e-5] * 4 + [1e-5] * 8)
    assert (plan.trainer.epochs, plan.trainer.sampler.batch, plan.data.validation) == (20, 1, "report")


def test_the_page_is_what_the_results_say():
    text, drawn = report.build()
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == text, "run `make experiments-report`"
    shown = sorted(path.name for path in (FOLDER / "figures").glob("*.png"))
    assert shown == sorted(drawn)
    assert all(f"(figures/{name})" in text for name in shown)


@pytest.mark.parametrize("name", sorted(path.stem for path in results.RESULTS.glob("*.json")))
def test_a_result_is_of_an_experiment_and_of_enough_seeds(name):
    result = results.load(name)
    assert result.name == name in NAMES
    assert all(len(runs) >= 3 for runs in result.groups().values())
    assert not result.dirty


def run(seed, accuracy, diverged=False, **swept):
    history = {f"{split}/{kind}": [0.5, 0.6] for split in ("train", "val") for kind in ("loss", "accuracy")}
    metrics = {"test/accuracy": accuracy, "test/loss": 0.1, "val/accuracy": accuracy}
    return Run({**swept, "seed": str(seed)}, metrics, history, 10.0 + seed, diverged)


def result(name, *runs):
    command = f"python -m lenet.run experiment={name} -m"
    return Result(name, command, "c" * 40, False, "2026-01-02", "a CPU", "Mnist", runs)


def test_means_and_deviations_leave_out_what_diverged():
    runs = [run(0, 0.98), run(1, 0.96), run(2, 0.1, diverged=True)]
    assert results.statistics(runs, lambda each: each.error) == pytest.approx((2, 3.0, math.sqrt(2)))
    assert results.spread(runs, lambda each: each.error) == "3.00 ± 1.41"
    assert results.spread(runs[:1], lambda each: each.error) == "2.00"
    assert results.spread(runs[2:], lambda each: each.error) == "diverged"


def test_the_highest_of_many_looks_by_chance():
    assert course_report.expected_highest([0.5], drawn=4) == pytest.approx(0.5)
    # Two fair coins: the larger of two counts is 0, 1, 2 with probabilities 1/16, 8/16, 7/16.
    assert course_report.expected_highest([0.5] * 2, drawn=2) == pytest.approx((8 / 16 + 2 * 7 / 16) / 2)
    assert course_report.chance_of(2, [0.5] * 2, drawn=2) == pytest.approx(7 / 16)
    # A look that is never right changes nothing; one image each: 1 - (1 - 0.5)(1 - 0.2).
    assert course_report.expected_highest([0.5, 0.0], drawn=2) == pytest.approx(0.5)
    assert course_report.expected_highest([0.5, 0.2], drawn=1) == pytest.approx(0.6)
    assert course_report.expected_highest([1.0] * 50) == pytest.approx(1)


def test_a_result_is_read_back_as_it_was_written(tmp_path):
    made = result("best", run(0, 0.99), run(1, math.nan, diverged=True))
    (tmp_path / "best.json").write_text(results.dumps(made))
    again = results.load("best", tmp_path)
    assert repr(again) == repr(dataclasses.replace(made, runs=again.runs))
    assert [each.swept for each in again.runs] == [each.swept for each in made.runs]
    assert math.isnan(again.runs[1].metrics["test/accuracy"])
    assert results.load("fastest", tmp_path) is None


def test_the_page_of_few_results_says_what_is_missing(tmp_path):
    settings = [(seed, name, rate) for seed in (0, 1, 2) for name in ("sgd", "adam") for rate in ("1", "2")]
    rates = [run(seed, 0.9 + 0.01 * seed, optimizer=name, lr=rate) for seed, name, rate in settings]
    for made in (result("best", run(0, 0.99), run(1, 0.98), run(2, 0.97)), result("sweep_lr", *rates)):
        (tmp_path / f"{made.name}.json").write_text(results.dumps(made))
    text, drawn = report.build(tmp_path)
    assert "Not yet measured: `report_lr_0.01`, `report_lr_0.005`, `report_piecewise`." in text
    assert "2.00 ± 1.00" in text
    assert "sgd 9.00 % at 1" in text
    assert list(drawn) == ["sweep_lr.png"]
    assert all(plots.to_png(figure).startswith(b"\x89PNG") for figure in drawn.values())


def test_the_page_of_no_results_says_so_in_every_section(tmp_path):
    text, drawn = report.build(tmp_path)
    assert not drawn
    missing = {name for line in text.splitlines() if line.startswith("Not yet") for name in line.split("`")[1::2]}
    assert missing == set(sections.names())


def test_the_page_bears_single_seeds_and_what_diverged(tmp_path):
    for name in sections.names():
        lost = run(1, math.nan, diverged=True)
        if name.startswith("sweep_"):
            keys = {"schedule": ["constant", "step"]}
            if name in ("sweep_lr", "sweep_optimizers"):
                keys = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.1", "1"]}
            elif name == "sweep_activation":
                keys = {"network.activation": ["relu", "tanh"], "network.initializer": ["he", "lecun"]}
            elif name == "sweep_batch_size":
                keys = {"trainer.batch_size": ["16", "32"]}
            settings = [dict(zip(keys, values, strict=True)) for values in itertools.product(*keys.values())]
            runs = [run(0, 0.9, diverged=number == 0, **setting) for number, setting in enumerate(settings)]
        else:
            runs = [lost] if name == "ladder_05_pixels" else [run(0, 0.9), lost]
        (tmp_path / f"{name}.json").write_text(results.dumps(result(name, *runs)))
    text, drawn = report.build(tmp_path)
    assert "Not yet measured" not in text
    assert "diverged" in next(line for line in text.splitlines() if line.startswith("| `05_pixels`"))
    assert "1 of the 4 runs learnt nothing or diverged." in text
    assert all(plots.to_png(figure).startswith(b"\x89PNG") for figure in drawn.values())


def test_a_change_within_the_seeds_deviations_is_not_told_apart(tmp_path):
    errors = {"ladder_00_report": (7, 8, 9), "ladder_01_batches": (8, 7.5, 10), "ladder_02_weights": (2, 2.1, 2.2)}
    for name, values in errors.items():
        runs = [run(seed, 1 - error / 100) for seed, error in enumerate(values)]
        (tmp_path / f"{name}.json").write_text(results.dumps(result(name, *runs)))
    text, _ = report.build(tmp_path)
    assert ladder.base("ladder_01_batches") == "ladder_00_report"
    assert "The ladder goes from 8.00 to 2.10 %; its largest step is `02_weights`, from 8.50 to 2.10 %." in text
    assert "by themselves: `01_batches`. `01_batches` is not told apart from chance" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"runs": (run(0, 0.9),)}, "1 runs instead of 2"),
        ({"dirty": True}, "code that is not committed"),
        ({"command": "python -m lenet.run experiment=best trainer.epochs=1 -m"}, "settings of its own"),
    ],
)
def test_a_result_is_not_replaced_by_one_that_is_worth_less(change, said):
    old = result("best", run(0, 0.99), run(1, 0.98))
    with pytest.raises(UserError, match=said):
        export._check_no_worse(dataclasses.replace(old, **change), old)
    export._check_no_worse(dataclasses.replace(old, commit="d" * 40, runs=(*old.runs, run(2, 0.5))), old)
    export._check_no_worse(old, dataclasses.replace(old, **change) if "runs" not in change else old)
    export._check_no_worse(dataclasses.replace(old, **change), None)


def test_only_what_is_on_mnist_is_exported(workplace, records, tmp_path):
    assert main([*SMALL, "trainer.figures=none"]) == 0
    assert main([*SMALL, "experiment=report_regime", "trainer.figures=none"]) == 0
    finder = open_finder(None)
    for record, said in zip(records(), ("is on lenet.data.Npz", "is on lenet.data.Npz"), strict=True):
        with pytest.raises(UserError, match=said):
            export.export(finder, finder.find(record.info.run_id), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_what_is_exported_is_what_was_recorded(workplace, records, tmp_path, monkeypatch):
    assert main([*SMALL, "experiment=report_regime", "trainer.figures=none", "seed=0,1", "-m"]) == 0
    finder = open_finder(None)
    sweep = next(each for each in records() if each.data.tags["lenet.kind"] == "sweep")
    monkeypatch.setattr(export, "DATA", "lenet.data.Npz")
    path = export.export(finder, finder.find(sweep.info.run_id), tmp_path)
    stored = json.loads(path.read_text())
    assert (path.name, stored["name"]) == ("report_regime.json", "report_regime")
    assert stored["command"].startswith("python -m lenet.run data=npz data.images=digits.npz")
    assert "seed=" not in stored["command"]
    jobs = {each.info.run_name: each.data.metrics for each in records() if each.data.tags["lenet.kind"] == "job"}
    for each in stored["runs"]:
        kept = jobs[f"seed={each['swept']['seed']}"]
        assert each["metrics"]["test/accuracy"] == pytest.approx(kept["test/accuracy"], rel=1e-5)
        assert len(each["history"]["val/loss"]) == 3
        assert each["seconds"] > 0


@pytest.mark.slow
def test_measuring_exports_its_own_sweep_though_another_was_started_later(workplace, tmp_path, monkeypatch):
    overrides = [*SMALL, "trainer.figures=none", "trainer.epochs=1"]

    def run(command, check):
        assert command[1:] == ["-m", "lenet.run", "experiment=best", *overrides, "seed=0,1", "-m"]
        code = main(command[3:])
        assert main(["experiment=fastest", *overrides, "seed=0", "-m"]) == 0
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(export, "DATA", "lenet.data.Npz")
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(measure, "subprocess", SimpleNamespace(run=run))
    assert measure.main(["best", *overrides, "seed=0,1"]) == 0
    (stored,) = (tmp_path / "results").iterdir()
    assert (stored.name, len(results.load("best", tmp_path / "results").runs)) == ("best.json", 2)


def test_what_was_not_measured_is_said_and_leaves_the_others_be(monkeypatch, capsys):
    called = []
    monkeypatch.setattr(measure, "measure", lambda name, overrides: called.append(name) or name == "fastest")
    assert measure.main(["best", "fastest"]) == 1
    assert called == ["best", "fastest"]
    assert "Not measured: best;" in capsys.readouterr().out
    assert measure.main(["bets"]) == 2
    assert "Did you mean `best`?" in capsys.readouterr().err


def test_a_sweep_with_a_failed_run_and_a_run_of_no_experiment_are_not_exported(
    workplace, records, tmp_path, monkeypatch
):
    monkeypatch.setattr(export, "DATA", "lenet.data.Npz")
    assert main([*SMALL, "trainer.figures=none"]) == 0
    finder = open_finder(None)
    with pytest.raises(UserError, match="was given no experiment="):
        export.export(finder, finder.find("last"), tmp_path / "results")
    unfinished = dataclasses.replace(finder.find("last"), status="FAILED")
    with pytest.raises(UserError, match="not finished"):
        export.export(finder, unfinished, tmp_path / "results")
    assert not (tmp_path / "results").exists()
