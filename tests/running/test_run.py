"""One run, through the command: what it records, that it repeats, and how it ends."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import yaml
from mlflow import MlflowClient

from lenet import checkpoint
from lenet.network import LayerSummary
from lenet.run import main
from lenet.running.progress import layer_table
from lenet.tracking.run import Run
from tests.conftest import DRAWN, SMALL, artifacts

EPOCH_METRICS = {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr", "samples_per_second"}
FINAL_METRICS = {"test/loss", "test/accuracy", "best/val_accuracy"}
MODEL = {
    "model/MLmodel",
    "model/input_example.json",
    "model/python_env.yaml",
    "model/requirements.txt",
    "model/serving.py",
    "model/serving_input_example.json",
    "model/weights.npz",
}
ARTIFACTS = MODEL | {
    "config/config.yaml",
    "config/overrides.yaml",
    "checkpoints/last.npz",
    "checkpoints/best.npz",
    "figures/curves.png",
    "figures/confusion_matrix.png",
    "figures/filters.png",
    "figures/mistakes.png",
    "environment.json",
    "log.txt",
}


def files(run):
    return {str(p.relative_to(artifacts(run))) for p in artifacts(run).rglob("*") if p.is_file()}


def histories(workplace, run):
    client = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
    return {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}


def weights(run, name="last"):
    arrays = checkpoint.load(artifacts(run) / f"checkpoints/{name}.npz").arrays
    return {key: array for key, array in arrays.items() if key.startswith("param/")}


def assert_same_weights(first, second):
    assert weights(first).keys() == weights(second).keys()
    for key, array in weights(first).items():
        np.testing.assert_array_equal(array, weights(second)[key], err_msg=key)


def test_a_run_records_everything_the_contract_names(workplace, records):
    assert main([*DRAWN, "optimizer.lr=0.02"]) == 0
    (run,) = records()
    assert run.info.status == "FINISHED"
    assert files(run) == ARTIFACTS
    points = histories(workplace, run)
    assert points.keys() == EPOCH_METRICS | FINAL_METRICS
    assert all([p.step for p in points[key]] == [1, 2, 3] for key in EPOCH_METRICS)
    assert all(len(points[key]) == 1 for key in FINAL_METRICS)
    assert [p.value for p in points["lr"]] == [0.02] * 3
    assert run.data.metrics["best/val_accuracy"] == max(p.value for p in points["val/accuracy"])
    assert run.data.metrics["test/accuracy"] > 0.9
    params = run.data.params
    assert (params["optimizer.lr"], params["network.activation"], params["seed"]) == ("0.02", "relu", "0")
    assert params["network.layers.0.channels"] == "6"
    assert not any(key.startswith(("sweep", "hydra")) for key in params)
    assert run.inputs.dataset_inputs[0].dataset.name == "digits"
    config = yaml.safe_load((artifacts(run) / "config/config.yaml").read_text())
    assert config["optimizer"]["lr"] == 0.02
    assert yaml.safe_load((artifacts(run) / "config/overrides.yaml").read_text()) == [
        *DRAWN,
        "optimizer.lr=0.02",
    ]
    surroundings = json.loads((artifacts(run) / "environment.json").read_text())
    assert surroundings["packages"]["numpy"] == np.__version__
    assert set(workplace.iterdir()) == {workplace / name for name in ("mlflow.db", "mlruns", "digits.npz")}


def test_a_checkpoint_holds_weights_velocity_and_how_to_use_them(workplace, records):
    assert main(SMALL) == 0
    (run,) = records()
    last = checkpoint.load(artifacts(run) / "checkpoints/last.npz")
    assert last.arrays["param/conv1/weight"].shape == (6, 1, 5, 5)
    assert last.arrays["velocity/linear3/weight"].shape == (84, 3)
    assert last.meta["epoch"] == 3
    assert last.meta["step"] == 18
    assert len(last.meta["history"]) == 3
    assert last.meta["classes"] == ["0", "1", "2"]
    assert last.meta["config"]["seed"] == 0


def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(workplace, records):
    for threads in (1, 2, 3):
        assert main([*SMALL, "trainer.batch_size=80", "trainer.figures=none", f"backend.threads={threads}"]) == 0
    third, second, first = records()
    timed = {"samples_per_second"}
    for other in (second, third):
        assert_same_weights(first, other)
        assert {k: v for k, v in first.data.metrics.items() if k not in timed} == {
            k: v for k, v in other.data.metrics.items() if k not in timed
        }


def test_another_seed_gives_other_weights(workplace, records):
    for seed in (0, 1):
        assert main([*SMALL, "trainer.figures=none", f"seed={seed}"]) == 0
    second, first = records()
    assert not np.array_equal(weights(first)["param/conv1/weight"], weights(second)["param/conv1/weight"])


@pytest.mark.parametrize("rate", [1e3, 1e30])
def test_divergence_ends_early_as_a_result(rate, workplace, records):
    assert main([*DRAWN, f"optimizer.lr={rate}", "trainer.epochs=5"]) == 0
    (run,) = records()
    assert run.info.status == "FINISHED"
    assert run.data.tags["diverged"] == "true"
    last = checkpoint.load(artifacts(run) / "checkpoints/last.npz")
    assert all(np.isfinite(array).all() for array in last.arrays.values())
    assert len(histories(workplace, run)["train/loss"]) < 5
    assert np.isfinite(run.data.metrics["test/loss"])
    assert "figures/curves.png" in files(run)


@pytest.mark.slow
def test_what_an_augmentation_does_is_shown(records):
    assert main([*DRAWN, "augmentation=elastic"]) == 0
    assert main([*DRAWN, "augmentation=elastic", "trainer.figures=none"]) == 0
    assert main([*DRAWN, "augmentation=none"]) == 0
    plain, bare, distorted = records()
    assert files(distorted) == {*ARTIFACTS, "figures/augmentation.png"}
    assert not any("figures" in name for name in files(bare))
    assert files(plain) == ARTIFACTS
    assert not np.array_equal(weights(distorted)["param/conv1/weight"], weights(plain)["param/conv1/weight"])


def test_early_stopping_waits_for_its_patience_and_keeps_the_best(workplace, records):
    assert main([*SMALL, "trainer.epochs=40", "trainer.early_stopping=2", "trainer.figures=none"]) == 0
    (run,) = records()
    accuracies = [p.value for p in histories(workplace, run)["val/accuracy"]]
    best = accuracies.index(max(accuracies))
    assert len(accuracies) == best + 1 + 2
    assert run.data.tags["stopped_early"] == "true"
    assert checkpoint.load(artifacts(run) / "checkpoints/best.npz").meta["epoch"] == best + 1
    assert checkpoint.load(artifacts(run) / "checkpoints/last.npz").meta["epoch"] == len(accuracies)


@pytest.mark.parametrize(("kept", "expected"), [("last", {"last"}), ("best", {"best"}), ("none", set())])
def test_checkpoints_that_are_not_kept_are_never_written_and_nothing_else_changes(kept, expected, workplace, records):
    arguments = [*SMALL, "trainer.figures=none", "trainer.epochs=40", "trainer.early_stopping=2"]
    written = []
    original = Run.log_bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "log_bytes", lambda run, data, name: (written.append(name), original(run, data, name)))
        assert main([*arguments, "trainer.checkpoint_every=1", f"trainer.checkpoints={kept}"]) == 0
    assert main(arguments) == 0
    both, run = records()
    assert {name for name in written if name.startswith("checkpoints/")} == {f"checkpoints/{e}.npz" for e in expected}
    missing = {f"checkpoints/{name}.npz" for name in {"last", "best"} - expected} | (set() if expected else MODEL)
    assert files(run) == files(both) - missing
    for name in expected:
        np.testing.assert_equal(weights(run, name), weights(both, name))
    timed = "samples_per_second"
    assert {k: v for k, v in run.data.metrics.items() if k != timed} == {
        k: v for k, v in both.data.metrics.items() if k != timed
    }


def test_the_report_s_regime_takes_one_image_from_each_block(workplace, records):
    arguments = [*SMALL, "trainer.sampler=one_per_block", "data.validation=report", "trainer.figures=none"]
    assert main(arguments) == 0
    (run,) = records()
    meta = checkpoint.load(artifacts(run) / "checkpoints/last.npz").meta
    assert meta["step"] == 3 * 6  # 96 training images in blocks of 16
    # 64 images of the test set with replacement: accuracies are multiples of 1/64
    assert all((p.value * 64).is_integer() for p in histories(workplace, run)["val/accuracy"])


def test_a_layer_of_the_user_s_own_comes_by_its_import_path_from_yaml_alone(workplace, records, monkeypatch):
    (workplace / "mylayers.py").write_text(
        textwrap.dedent(
            """
            from lenet.layers import Layer

            class Double(Layer):
                def forward(self, x):
                    return 2 * x

                def backward(self, dy):
                    return 2 * dy
            """
        )
    )
    (workplace / "conf/network").mkdir(parents=True)
    (workplace / "conf/network/tiny.yaml").write_text(
        textwrap.dedent(
            """
            layers:
              - { _target_: lenet.layers.Flatten }
              - { _target_: mylayers.Double, name: double }
              - { _target_: lenet.layers.Linear, features: classes }
            """
        )
    )
    monkeypatch.syspath_prepend(str(workplace))
    assert main(["--config-dir", "conf", "network=tiny", *SMALL]) == 0
    (run,) = records()
    assert run.data.params["network.layers.1._target_"] == "mylayers.Double"
    assert "figures/filters.png" not in files(run)


def test_help_is_short_and_imports_nothing_heavy():
    code = textwrap.dedent(
        """
        import sys
        from lenet.run import main
        try:
            main(["--help"])
        except SystemExit:
            print("heavy:", sorted({"numpy", "mlflow", "matplotlib"} & set(sys.modules)))
        """
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "python -m lenet.run optimizer.lr=0.005,0.01 -m" in output
    assert "optimizer: adam, adamw, diagonal_lm, momentum, nesterov, rmsprop, sgd" in output
    assert "heavy: []" in output
    assert len(output.splitlines()) <= 32
    assert max(map(len, output.splitlines())) <= 80


def test_a_store_whose_artifacts_have_no_place_is_refused_before_the_run(workplace, records):
    (workplace / "mlruns").write_text("in the way")
    assert main([*SMALL, "trainer.figures=none"]) == 2
    assert records() == []


def test_a_broken_network_file_of_the_user_s_own_is_one_message(workplace, capsys):
    (workplace / "conf/network").mkdir(parents=True)
    (workplace / "conf/network/tiny.yaml").write_text("layers: [\n")
    assert main(["--config-dir", "conf", "network=tiny", *SMALL]) == 2
    assert "tiny.yaml" in capsys.readouterr().err


def test_a_layer_s_name_of_several_lines_takes_one_in_the_table():
    table = layer_table([LayerSummary("a\nb", "Flatten", (400,), 0, 0, 0)])
    assert [line.split()[0] for line in table.splitlines()] == ["layer", "-------", "a\\nb", "total"]
