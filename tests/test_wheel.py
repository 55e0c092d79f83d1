"""The wheel, installed beside the packages of this environment, away from the checkout: every command works from it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lenet
from lenet.__main__ import COMMANDS
from tests.conftest import SMALL, save_digits

pytestmark = pytest.mark.slow
CHECKOUT = Path(lenet.__file__).parent.parent
OWN = """\
layers:
  - { _target_: lenet.layers.Flatten }
  - { _target_: mylayers.Double }
  - { _target_: lenet.layers.Linear, features: classes }
"""
DOUBLE = """\
from lenet.layers import Layer


class Double(Layer):
    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return a folder with an environment that has the wheel, and what calls its commands from an empty folder."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(CHECKOUT)], check=True)
    (wheel,) = folder.glob("lenet-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", str(wheel)], check=True)
    site = next((folder / "venv/lib").glob("python*/site-packages"))
    # What is installed here is found after what is there; this checkout is not, since the wheel comes first.
    (site / "theirs.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")) + "\n")
    (folder / "work").mkdir()
    return folder


@pytest.fixture(scope="module")
def command(installed):
    """Return what runs a command in the empty folder, by default of the installed `lenet`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MLFLOW", "LENET"))}

    def run(*arguments, code=0, by="lenet"):
        done = subprocess.run(
            [installed / "venv/bin" / by, *arguments],
            cwd=installed / "work",
            env=kept,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def trained(installed, command):
    """Train once, and sweep once, and return the folder."""
    save_digits(installed / "work/digits.npz")
    command("run", *SMALL, "trainer.figures=none")
    command("run", *SMALL, "trainer.figures=none", "optimizer.lr=0.01,0.02", "-m")
    return installed / "work"


def test_it_is_the_wheel_that_is_imported(installed, command):
    place = command("-c", "import lenet; print(lenet.__file__)", by="python").strip()
    assert Path(place).is_relative_to(installed / "venv")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_of_itself_under_both_names(command, name):
    assert command(name, "--help").startswith(f"usage: lenet {name} ")
    assert command("-m", f"lenet.{name}", "--help", by="python").startswith(f"usage: python -m lenet.{name} ")


def test_configuration_and_experiments_are_in_it(command):
    shown = command("run", "--help")
    assert "experiment: best, best_augmented" in shown
    assert "lr_range_test" in shown
    assert "momentum: 0.9" in command("run", "experiment=best", "--cfg", "job")
    assert {path.stem for path in (CHECKOUT / "experiments").glob("*.yaml")} <= set(
        command("run", "--help").replace(",", " ").split()
    )


def test_the_digits_that_come_along_are_trained_on(command, trained):
    assert "test loss" in command("run", "trainer.epochs=1", "trainer.figures=none")


def test_runs_are_listed_compared_resumed_reproduced_and_measured(command, trained):
    assert ", 1 sweep\n" in command("runs")
    assert "lr=0.01" in command("compare", "lr=0.01", "lr=0.02")
    assert "goes on" in command("resume", "lr=0.01", "trainer.epochs=4")
    assert "identical" in command("reproduce", "lr=0.02")
    assert "checkpoints" in command("disk")
    assert "nothing is undelivered" in command("deliver")


def test_a_network_is_used_as_it_was_trained(command, trained, tmp_path):
    assert "calibration" in command("evaluate", "lr=0.01").lower()
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(tmp_path / "line.png")
    told = command("predict", "lr=0.01", str(tmp_path / "line.png"), "--format", "csv")
    assert told.splitlines()[0] == "file,label,probability,runner_up"
    code = "from lenet import load, predict; print(predict(load('lr=0.01'), ['{}'])[0].label)"
    assert command("-c", code.format(tmp_path / "line.png"), by="python").strip() == told.splitlines()[1].split(",")[1]


def test_a_network_and_a_layer_of_one_s_own_are_checked_and_trained(command, trained):
    (trained / "conf/network").mkdir(parents=True)
    (trained / "conf/network/own.yaml").write_text(OWN)
    (trained / "mylayers.py").write_text(DOUBLE)
    own = ("--config-dir", "conf", "network=own", "data=npz", "data.images=digits.npz")
    assert "double1" in command("check", *own)
    command("run", *own, "trainer.epochs=1", "trainer.figures=none")
    command("run", *own, "trainer.epochs=1", "trainer.figures=none", "seed=0,1", "-m", "hydra.launcher.start=spawn")


def test_nothing_is_left_beside_what_was_asked_for(trained):
    left = {path.name for path in trained.iterdir()} - {"conf", "mylayers.py", "__pycache__"}
    assert left == {"digits.npz", "mlflow.db", "mlruns"}
