"""What tests that run the program share: a folder with an empty store and small data, and readers of runs."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from lenet.run import main
from lenet.tracking.store import Store
from lenet.training.keeper import Keeper


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated, empty store's database: a migration takes seconds, and so is done once."""
    folder = tmp_path_factory.mktemp("migrated")
    Store(f"sqlite:///{folder / 'mlflow.db'}", "unused")
    return folder / "mlflow.db"


@pytest.fixture
def workplace(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder with an empty store and `digits.npz`: 120 images of 16×16 in three classes."""
    shutil.copy(migrated, tmp_path / "mlflow.db")
    save_digits(tmp_path / "digits.npz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("LENET_DATA", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def trained_here(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    """Return a folder with a store of one run, two epochs on MNIST's digits, that tests only read or add to."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(migrated, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert main(["trainer.epochs=2", "trainer.figures=none", "backend=numpy"]) == 0
    return folder


@pytest.fixture
def beside_run(trained_here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in the folder of a run that was trained on MNIST's digits."""
    monkeypatch.chdir(trained_here)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return trained_here


def save_digits(path: Path, count: int = 120) -> None:
    """Save images whose class is the third of the height in which a bright bar lies, in noise."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 3
    images = generator.integers(0, 80, (count, 16, 16))
    for image, label in zip(images, labels, strict=True):
        image[label * 5 : label * 5 + 4] += 150
    np.savez(path, images=images.astype(np.uint8), labels=labels)


DRAWN = ("data=npz", "data.images=digits.npz", "backend=numpy", "trainer.epochs=3", "trainer.batch_size=16")
"""A run of a blink on `digits.npz`; drawing its figures takes longer."""
SMALL = (*DRAWN, "trainer.figures=none")


@pytest.fixture
def records(workplace: Path) -> Callable[[], list]:
    """Return what reads all runs of the store in the folder, the latest first."""
    from mlflow import MlflowClient

    def read() -> list:
        client = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("lenet")
        return client.search_runs([experiment.experiment_id]) if experiment else []

    return read


def artifacts(run: object) -> Path:
    """Return the folder of a run's artifacts."""
    return Path(str(run.info.artifact_uri).removeprefix("file://"))  # type: ignore[attr-defined]


def family(runs: list) -> tuple:
    """Return the sweep's run, the only one, and its children by name."""
    parents = [run for run in runs if run.data.tags["lenet.kind"] == "sweep"]
    assert len(parents) == 1
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    return parents[0], sorted(children, key=lambda run: run.info.run_name)


def environment() -> dict[str, str]:
    """Return the environment for a child process of a test."""
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def sweeping(
    workplace: Path, records: Callable[[], list], *extra: str, at_work: int = 2, process_group: int | None = None
) -> "subprocess.Popen[str]":
    """Start a sweep of very long runs, and return it when so many of them have measured something."""
    save_digits(workplace / "digits.npz", 3000)
    command = [sys.executable, "-m", "lenet.run", *SMALL, "trainer.epochs=100000", "-m", *extra]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        process_group=process_group,
    )
    deadline = time.monotonic() + 60
    while sum("train/loss" in run.data.metrics for run in records()) < at_work:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the jobs have not begun"
        time.sleep(0.1)
    return process


def training(workplace: Path, *extra: str) -> "subprocess.Popen[str]":
    """Start `python -m lenet.run` on more digits for a very long time, and return it once a run is under way."""
    save_digits(workplace / "digits.npz", 3000)
    command = [sys.executable, "-m", "lenet.run", *SMALL, "trainer.epochs=100000", *extra]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 2/"):
            break
    return process


class Stopped(BaseException):
    """Ends a run like nothing that it knows of."""


@pytest.fixture
def client(workplace: Path) -> MlflowClient:
    """Return a client of the store in the folder."""
    return MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what ends the next run before a step, its last checkpoint being the one that was due last."""

    def stop(step: int, saving: bool = False) -> None:
        on_step = Keeper.on_step

        def stopping(self: Keeper) -> None:
            on_step(self)
            if self.trainer.progress.step == step:
                monkeypatch.setattr(Keeper, "on_step", on_step)
                if not saving:
                    self.save = lambda: None
                raise Stopped

        monkeypatch.setattr(Keeper, "on_step", stopping)

    return stop


CONSOLE = f"""\
#!{sys.executable}
import sys

from lenet.__main__ import main

sys.exit(main())
"""
"""The console command, as an installer writes it."""


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment in which the shell finds the console command."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "lenet").write_text(CONSOLE)
    (folder / "lenet").chmod(0o755)
    places = (folder, Path(sys.executable).parent, os.environ["PATH"])
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PATH": os.pathsep.join(map(str, places))}
