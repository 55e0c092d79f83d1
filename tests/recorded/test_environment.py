"""What `environment.json` says is true of this process and checkout, and quick to find out."""

import json
import platform
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from lenet.recorded import environment


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lenet as if installed without a checkout, run from an empty folder outside any repository."""
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "site" / "lenet" / "recorded" / "environment.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit_a_file(folder: Path, text: str = "a") -> str:
    git(folder, "init", "-q")
    (folder / "a.txt").write_text(text)
    git(folder, "add", "a.txt")
    git(folder, "commit", "-qm", "one")
    return git(folder, "rev-parse", "HEAD")


def test_it_is_json_and_names_python_and_numpy() -> None:
    described = json.loads(json.dumps(environment.describe()))
    assert described["python"]["version"] == platform.python_version()
    assert described["packages"]["numpy"] == np.__version__


def test_every_package_asked_for_is_there_or_null() -> None:
    packages = environment.describe()["packages"]
    assert set(packages) == set(environment.PACKAGES)
    assert packages["mlflow"]


def test_the_blas_of_numpy_is_named_with_its_kernel() -> None:
    blas = environment.describe()["blas"]
    built_with = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    assert blas["library"] in built_with
    assert blas["version"]


def test_cores_and_device_are_told() -> None:
    described = environment.describe(device="NVIDIA H200")
    assert 1 <= described["cpu"]["usable_cores"] <= described["cpu"]["cores"]
    assert described["gpu"] == "NVIDIA H200"
    assert environment.describe()["gpu"] is None


def test_a_package_that_is_not_installed_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package",))
    assert environment.describe()["packages"] == {"no-such-package": None}


def test_without_a_repository_commit_and_dirty_are_null(outside: Path) -> None:
    assert environment.git_state() == {"commit": None, "dirty": None}


def test_without_git_commit_and_dirty_are_null(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert environment.git_state() == {"commit": None, "dirty": None}


def test_a_repository_without_a_commit_has_none(outside: Path) -> None:
    git(outside, "init", "-q")
    assert environment.git_state() == {"commit": None, "dirty": None}


def test_a_clean_tree_is_not_dirty_whatever_is_untracked(outside: Path) -> None:
    commit = commit_a_file(outside)
    (outside / "mlflow.db").write_text("")
    assert environment.git_state() == {"commit": commit, "dirty": False}


def test_a_changed_file_makes_the_tree_dirty(outside: Path) -> None:
    commit = commit_a_file(outside)
    (outside / "a.txt").write_text("b")
    assert environment.git_state() == {"commit": commit, "dirty": True}


def test_results_of_benchmarks_do_not_make_the_code_that_was_measured_another(outside: Path) -> None:
    results = outside / "benchmarks/results"
    results.mkdir(parents=True)
    (results / "table.md").write_text("1")
    git(outside, "init", "-q")
    git(outside, "add", "benchmarks")
    commit = commit_a_file(outside)
    (results / "table.md").write_text("2")
    assert environment.git_state() == {"commit": commit, "dirty": False}


def test_a_change_is_seen_from_a_folder_below(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = commit_a_file(outside)
    (outside / "a.txt").write_text("b")
    (outside / "below").mkdir()
    monkeypatch.chdir(outside / "below")
    assert environment.git_state() == {"commit": commit, "dirty": True}


def test_the_checkout_that_lenet_runs_from_comes_before_the_working_directory(outside: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "site"
    checkout.mkdir()
    ours = commit_a_file(checkout, "ours")
    assert environment.git_state()["commit"] == ours != commit_a_file(outside, "theirs")


def test_it_takes_less_than_50_ms_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "git_state", dict)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        environment.describe()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05
