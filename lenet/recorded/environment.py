"""What a run ran on: the content of `environment.json`."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lenet.arrays import blas

PACKAGES = (
    "lenet",
    "numpy",
    "cupy",
    "hydra-core",
    "omegaconf",
    "mlflow",
    "matplotlib",
    "mlxtend",
    "pooch",
    "pydantic",
)
GIT_SECONDS = 2.0


def describe(device: str | None = None) -> dict[str, Any]:
    """Return what this process runs on, ready for JSON; what cannot be known is None.

    `device` is the name of the GPU in use, if any. The BLAS is found only if NumPy has been imported. Takes
    a few milliseconds, and as long as `git status` takes (2 s at most).
    """
    return {
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
        },
        "packages": {name: _version(name) for name in PACKAGES},
        "blas": blas.describe(),
        "cpu": _cpu(),
        "gpu": device,
        "os": {"name": _os_name(), "kernel": f"{platform.system()} {platform.release()}"},
        "git": git_state(),
    }


def git_state() -> dict[str, Any]:
    """Return the `commit` that the code comes from and whether tracked files differ from it (`dirty`).

    That is the checkout that lenet runs from; where it is installed without one, the working directory's, if
    any.
    """
    home = Path(__file__).resolve().parents[2]
    folder = home if (home / ".git").exists() else Path.cwd()
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    command += ["--", ":/", ":(top,exclude)benchmarks/results"]  # what was measured is no code
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=GIT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):  # no git, no repository, or one too slow
        return {"commit": None, "dirty": None}
    lines = done.stdout.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), None)
    if commit in (None, "(initial)"):
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}


def _version(package: str) -> str | None:
    # CuPy's wheels carry the CUDA version in their name.
    for name in (package,) if package != "cupy" else ("cupy", "cupy-cuda12x", "cupy-cuda13x", "cupy-cuda11x"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _cpu() -> dict[str, Any]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "model": _cpu_model(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": usable,
    }


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"
