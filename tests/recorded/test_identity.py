"""What makes two runs the same."""

import importlib
import shutil
import sys
from pathlib import Path

import pytest
import tabulate  # noqa: F401  (what the last test looks for among the imported)

import lenet
from lenet.recorded import identity
from lenet.recorded.identity import code_digest, config_digest

OURS = {"network": {"layers": [{"_target_": "lenet.layers.ReLU"}]}, "seed": 0}


def test_where_a_run_is_kept_is_no_part_of_what_it_is():
    kept = {"tracking": {"uri": "x"}, "sweep": {"parent": "y"}}
    assert config_digest(OURS) == config_digest({**OURS, **kept})
    assert len({config_digest({**OURS, "seed": seed}) for seed in (0, 1, "1", None, 1.0)}) == 5


@pytest.fixture
def own_code(tmp_path, monkeypatch):
    """Modules of a user's own: a package that re-exports a class, a helper beside it, and one that is not imported."""
    (tmp_path / "ownpackage").mkdir()
    files = {
        "ownpackage/__init__.py": "from ownpackage.acts import Act",
        "ownpackage/acts.py": "import ownhelper\nclass Act: pass",
        "ownhelper.py": "x = 1",
        "unrelated.py": "x = 1",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("own")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("target", "changed", "counts"),
    [
        ("ownpackage.Act", "ownpackage/acts.py", True),
        ("ownpackage.Act", "ownpackage/__init__.py", True),
        ("ownpackage.acts.Act", "ownpackage/acts.py", True),
        ("ownlayers.Own", "ownlayers.py", True),
        ("ownlayers.Own", "ownhelper.py", True),
        ("ownlayers.Own", "unrelated.py", False),
        ("lenet.layers.ReLU", "ownpackage/acts.py", False),
    ],
)
def test_code_of_others_counts_where_the_configuration_names_it(own_code, target, changed, counts):
    (own_code / "ownlayers.py").write_text("import ownhelper\nclass Own: pass")
    for module in ("ownpackage", "ownlayers"):
        importlib.import_module(module)
    config = {"network": {"layers": [{"_target_": target}]}}
    before = code_digest(config)
    (own_code / changed).write_text("x = 2")
    assert code_digest(config) == before, "what was imported does not change with the files"
    identity._file_digest.cache_clear()
    assert (code_digest(config) != before) == counts


def test_installed_packages_beside_a_class_do_not_count():
    found = identity._other_modules({"a": {"_target_": "tabulate.tabulate"}})
    assert found
    assert all("tabulate" in path.relative_to(path.parents[1]).as_posix() for path in found)


def test_all_of_lenet_s_code_counts(monkeypatch, tmp_path):
    assert Path(lenet.__file__).parent == identity.HOME
    monkeypatch.setattr(identity, "HOME", tmp_path / "lenet")
    digests = set()
    for text in ("a", "b"):
        shutil.copytree(Path(lenet.__file__).parent / "layers", tmp_path / "lenet/layers", dirs_exist_ok=True)
        (tmp_path / "lenet/layers/more.py").write_text(text)
        identity._own_code.cache_clear()
        identity._file_digest.cache_clear()
        digests.add(identity.code_digest({}))
    monkeypatch.undo()
    identity._own_code.cache_clear()
    assert len(digests) == 2
