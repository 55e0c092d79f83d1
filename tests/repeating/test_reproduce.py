"""`python -m lenet.reproduce`: a run comes out the same from what it recorded, or is shown not to."""

import json
import shutil
import sqlite3

import numpy as np
import pytest
import yaml
from mlflow import MlflowClient

from lenet import checkpoint, reproduce, resume
from lenet.run import main
from tests.conftest import SMALL, artifacts, save_digits
from tests.sameness import assert_same


def train(*arguments):
    assert main([*SMALL, "trainer.figures=none", *arguments]) == 0


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["network.activation=tanh", "optimizer=nesterov", "schedule=onecycle", "seed=7"],
        ["data.validation=report", "trainer.sampler=one_per_block", "backend.threads=1"],
        ["optimizer=sgd", "optimizer.lr=1e25"],
        ["trainer.epochs=9", "trainer.early_stopping=2", "optimizer.lr=1e-6"],
        ["experiment=lr_range_test", "trainer.epochs=4", "schedule.high=0.5"],
    ],
    ids=lambda settings: " ".join(settings)[:40] or "defaults",
)
def test_a_run_comes_out_the_same_as_a_run_of_its_own(settings, workplace, records, capsys):
    train(*settings)
    first = records()[0]
    capsys.readouterr()
    assert reproduce.main([first.info.run_name]) == 0
    again, before = records()
    output = capsys.readouterr().out
    assert "identical, bit by bit" in output
    assert output.index("the same as when") < output.index("epoch 1/")
    assert repr(before.to_dictionary()) == repr(first.to_dictionary())
    assert again.data.tags["lenet.reproduces"] == first.info.run_id
    assert again.data.tags["lenet.reproduced"] == "identical"
    assert_same(MlflowClient(), again, first)


@pytest.mark.slow
def test_a_job_of_a_sweep_comes_out_the_same_alone(records, capsys):
    train("seed=0,1", "-m")
    assert reproduce.main(["seed=1"]) == 0
    again = records()[0]
    assert again.info.run_name == "seed=1-again"
    assert "mlflow.parentRunId" not in again.data.tags
    assert reproduce.main(["best:" + next(r for r in records() if "best_run" in r.data.tags).info.run_id]) == 0


def test_an_extended_run_comes_out_the_same_in_one_go(capsys, records):
    train()
    assert resume.main(["last", "trainer.epochs=5"]) == 0
    assert reproduce.main(["last"]) == 0


def test_a_step_of_a_resumed_and_moved_run(workplace, records, capsys):
    train()
    (workplace / "digits.npz").rename(workplace / "moved.npz")
    assert reproduce.main(["last"]) == 2
    assert "digits.npz" in capsys.readouterr().err
    assert len(records()) == 1
    assert reproduce.main(["last", "data.images=moved.npz"]) == 0


def database(workplace, statement, *values):
    with sqlite3.connect(workplace / "mlflow.db") as connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


def other_metric(workplace, folder):
    database(workplace, "UPDATE metrics SET value = value + 1e-12 WHERE key = 'val/loss' AND step = 2")


def missing_metric(workplace, folder):
    database(workplace, "DELETE FROM metrics WHERE key = 'train/loss' AND step = 3")


def another_metric(workplace, folder):
    run_id = folder.parts[-2]
    MlflowClient().log_metric(run_id, "test/accuracy", 1.0, step=2)


def second_point(workplace, folder):
    MlflowClient().log_metric(folder.parts[-2], "val/loss", -5.0, step=2)


def minus_zero(workplace, folder):
    path = folder / "checkpoints/last.npz"
    saved = checkpoint.load(path)
    arrays = {each: np.array(array) for each, array in saved.arrays.items()}
    zero = next(name for name, array in arrays.items() if (array == 0).any())
    arrays[zero][arrays[zero] == 0] *= -1
    path.write_bytes(checkpoint.dumps(arrays, {k: v for k, v in saved.meta.items() if k != "format"}))


def other_weight(workplace, folder, name="last", key="param/conv2/weight"):
    path = folder / f"checkpoints/{name}.npz"
    saved = checkpoint.load(path)
    arrays = {each: np.array(array) for each, array in saved.arrays.items()}
    arrays[key].flat[-1] = np.nextafter(arrays[key].flat[-1], np.float32(9))
    meta = {each: value for each, value in saved.meta.items() if each != "format"}
    path.write_bytes(checkpoint.dumps(arrays, meta))


def other_best(workplace, folder):
    other_weight(workplace, folder, "best", "velocity/linear3/bias")


def rewrite_meta(folder, change):
    path = folder / "checkpoints/last.npz"
    saved = checkpoint.load(path)
    meta = json.loads(json.dumps({each: value for each, value in saved.meta.items() if each != "format"}))
    change(meta)
    path.write_bytes(checkpoint.dumps(saved.arrays, meta))


def other_history(workplace, folder):
    rewrite_meta(folder, lambda meta: meta["history"][1].update({"val/accuracy": 0.5}))


def other_saved_config(workplace, folder):
    rewrite_meta(folder, lambda meta: meta["config"]["optimizer"].update({"momentum": 0.5}))


def missing_checkpoint(workplace, folder):
    (folder / "checkpoints/best.npz").unlink()


def other_config(workplace, folder):
    path = folder / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    config["optimizer"]["lr"] = 0.02
    path.write_text(yaml.safe_dump(config))


def other_parameter(workplace, folder):
    database(workplace, "UPDATE params SET value = '0.02' WHERE key = 'optimizer.lr'")


def other_in_both(workplace, folder):
    other_config(workplace, folder)
    other_parameter(workplace, folder)


def other_digest(workplace, folder):
    database(workplace, "UPDATE tags SET value = '0' WHERE key = 'lenet.config'")


ALTERATIONS = {
    other_metric: "val/loss",
    missing_metric: "train/loss",
    another_metric: "test/accuracy",
    second_point: "2 points",
    minus_zero: "-0",
    other_weight: "last param/conv2/weight",
    other_best: "best velocity/linear3/bias",
    other_history: "last meta",
    other_saved_config: "last meta",
    missing_checkpoint: "checkpoints/best.npz",
    other_config: "`optimizer.lr` is 0.02 in config/config.yaml, and 0.01 as a parameter",
    other_parameter: "`optimizer.lr` is 0.01 in config/config.yaml, and 0.02 as a parameter",
    other_in_both: "lenet.config",
    other_digest: "lenet.config",
}


@pytest.mark.parametrize("alter", ALTERATIONS, ids=lambda alter: alter.__name__)
def test_a_run_that_was_altered_is_not_reproduced(alter, workplace, records, capsys):
    train()
    run = records()[0]
    alter(workplace, artifacts(run))
    capsys.readouterr()
    assert reproduce.main([run.info.run_id]) == 1
    output, error = capsys.readouterr()
    assert ALTERATIONS[alter] in output + error
    assert max(map(len, output.splitlines()), default=0) <= 80
    if len(records()) > 1:
        assert records()[0].data.tags["lenet.reproduced"] == "different"


def test_a_tolerance_takes_small_differences_and_no_large_ones(workplace, records, capsys):
    train()
    run_id = records()[0].info.run_id
    other_metric(workplace, None)
    assert reproduce.main([run_id, "--tolerance", "1e-9"]) == 0
    assert "within the tolerance" in capsys.readouterr().out
    assert reproduce.main([run_id, "--tolerance=1e-14"]) == 1


def test_what_is_missing_is_within_no_tolerance(workplace, records):
    train()
    run_id = records()[0].info.run_id
    missing_metric(workplace, None)
    assert reproduce.main([run_id, "--tolerance=1e300"]) == 1


@pytest.mark.parametrize("tolerance", ["-1", "nan", "inf", "small"])
def test_a_tolerance_is_a_number(tolerance, workplace, capsys):
    assert reproduce.main(["last", f"--tolerance={tolerance}"]) == 2
    assert "--tolerance" in capsys.readouterr().err


def test_other_data_are_refused_before_anything_is_trained(workplace, records, capsys):
    train()
    save_digits(workplace / "digits.npz", 150)
    assert reproduce.main(["last"]) == 2
    assert "digest" in capsys.readouterr().err
    assert len(records()) == 1


def test_a_run_that_is_not_finished_is_refused(workplace, records, capsys):
    train()
    MlflowClient().set_terminated(records()[0].info.run_id, "KILLED")
    assert reproduce.main(["last"]) == 2
    assert "is KILLED" in capsys.readouterr().err


def test_another_environment_and_other_code_are_said_first(workplace, records, capsys):
    train()
    run = records()[0]
    path = artifacts(run) / "environment.json"
    told = json.loads(path.read_text())
    told["packages"]["numpy"] = "1.99.0"
    told["packages"]["mlflow"] = "1 --index-url=http://evil"
    told["blas"]["kernel"] = "Pren\x1b[31mott"
    told["python"]["version"] = "3.7.1"
    told["git"]["commit"] = "a" * 40
    path.write_text(json.dumps(told))
    MlflowClient().set_tag(run.info.run_id, "lenet.code", "0")
    capsys.readouterr()
    assert reproduce.main([run.info.run_id]) == 0
    output = capsys.readouterr().out
    assert output.index("package numpy") < output.index("epoch 1/")
    assert output.index("lenet's code") < output.index("epoch 1/")
    assert "\x1b" not in output
    assert reproduce.main([run.info.run_id, "--environment"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"numpy==1.99.0  # {np.__version__} here" in lines
    assert [line for line in lines if not line.startswith("#")] == [line for line in lines if "numpy==" in line]
    assert any("Python: 3.7.1" in line for line in lines)
    assert f"# lenet itself: git checkout {'a' * 40}" in lines
    assert len(records()) == 2, "nothing is run for it"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"packages": 3, "blas": [1], "git": "x"}', "[" * 100_000])
def test_an_environment_that_is_none_is_no_traceback(text, workplace, records, capsys):
    train()
    (artifacts(records()[0]) / "environment.json").write_text(text)
    assert reproduce.main(["last", "--environment"]) == (0 if "packages" in text else 2)


def test_only_the_store_is_needed(workplace, records, capsys, monkeypatch, tmp_path_factory):
    assert main(["trainer.epochs=1", "trainer.figures=none", "backend=numpy"]) == 0
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    assert reproduce.main(["last", f"tracking.uri=sqlite:///{workplace / 'mlflow.db'}"]) == 0
    assert list(elsewhere.iterdir()) == []
    shutil.rmtree(elsewhere)
    monkeypatch.chdir(workplace)
