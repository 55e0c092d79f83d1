"""What people expect of a repository is there, and says the same in each of its places."""

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
import yaml

import lenet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_citation_says_what_the_package_does():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["title"], citation["version"]) == (PROJECT["name"], PROJECT["version"])
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]


def test_the_licence_is_in_the_package():
    assert PROJECT["license-files"] == ["LICENSE"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_hooks_run_what_can_be_made():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in repository["hooks"]:
        command, target = hook["entry"].split()
        assert command == "make"
        assert f"\n{target}: " in makefile


def test_make_alone_lists_its_targets_as_they_are_to_be_read():
    listed = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "$LENET_DATA" in listed.stdout
    assert "$$" not in listed.stdout


def test_the_package_is_marked_as_typed():
    assert (Path(lenet.__file__).parent / "py.typed").is_file()


def test_what_is_said_of_installing_works_in_this_folder():
    """No index has lenet, so `pip install 'lenet[ray]'` would find nothing, or something else."""
    suffixes = {".py", ".md", ".yaml", ".ipynb"}
    paths = [
        path for part in ("lenet", "conf", "experiments", "benchmarks", "docs") for path in (ROOT / part).rglob("*")
    ]
    texts = [path.read_text(encoding="utf-8") for path in (*paths, *ROOT.glob("*.md")) if path.suffix in suffixes]
    told = [words for text in texts for words in re.findall(r"pip install ([^\n#`]*\[[^\n#`]*)", text)]
    own = [words for words in told if not words.startswith("'psycopg[binary]'")]
    extras = {name for words in own for name in re.findall(r"^-e '\.\[([a-z0-9{}]+)\]'", words)}
    assert own
    assert all(words.startswith("-e '.[") for words in own)
    assert extras <= {*PROJECT["optional-dependencies"], "{extra}"}
    assert {"cuda12", "notebook", "optuna", "ray", "slurm"} <= extras


@pytest.mark.slow
def test_a_user_s_mypy_sees_types(tmp_path):
    """In an environment that has lenet as an editable install does: by a path file among its site-packages."""
    venv.create(tmp_path / "env", symlinks=True)
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    paths = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    (packages / "lenet.pth").write_text("\n".join(paths))
    (tmp_path / "mine.py").write_text(
        "from lenet.layers import Conv2d\n"
        "from lenet.optimizers import Momentum\n"
        "reveal_type(Conv2d(6, 5).setup)\n"
        "Momentum(lr='fast')\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(tmp_path / "env/bin/python")]
    told = subprocess.run([*command, "mine.py"], cwd=tmp_path, capture_output=True, text=True).stdout
    assert 'Revealed type is "def (shape: tuple[int, ...]) -> tuple[int, ...]"' in told.replace("builtins.", "")
    assert 'Argument "lr" to "Momentum" has incompatible type "str"; expected "float"' in told
    assert "Found 1 error" in told
