"""What the page on extending says works as it is written there: its files, in a new folder, and its commands."""

import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lenet import check, checkpoint, resume
from lenet.run import main
from tests.conftest import Stopped, artifacts, environment
from tests.pages import ROOT, Block, blocks
from tests.sameness import assert_same

SECTIONS = {
    section: list(found)
    for section, found in itertools.groupby(
        (block for block in blocks(ROOT / "docs/extending.md") if block.language), lambda block: block.section
    )
}


def name_of(block: Block) -> str:
    """Return the file that a block is, by its first line."""
    match = re.fullmatch(r"# (\S+\.(py|yaml))", block.text.splitlines()[0])
    assert match, block
    return match[1]


def lay(section: str, folder: Path) -> list[list[str]]:
    """Write a section's files, and return its commands."""
    for block in SECTIONS[section]:
        if block.language != "sh":
            path = folder / name_of(block)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
    return [
        shlex.split(line) for block in SECTIONS[section] if block.language == "sh" for line in block.text.splitlines()
    ]


@pytest.fixture
def here(workplace, monkeypatch):
    """Work in a folder in which Python looks for modules, as it does for `python -m`."""
    monkeypatch.syspath_prepend(str(workplace))
    yield workplace
    for name in [name for name in sys.modules if name.startswith("my")]:
        if getattr(sys.modules[name], "__file__", None) and str(workplace) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_all_that_can_be_added_is_there():
    parts = ("network", "layer", "optimizer", "schedule", "data set", "callback", "experiment")
    assert set(SECTIONS) == {f"A{'n' if part[0] in 'oe' else ''} {part}" for part in parts}


@pytest.mark.parametrize("section", SECTIONS)
def test_ten_lines_are_enough(section):
    files = [block for block in SECTIONS[section] if block.language != "sh"]
    first = files[: 1 if section == "A network" else 2]
    assert code_lines(first) <= 10


def code_lines(files: list[Block]) -> int:
    """Return how many lines there are without blank ones and those that name the files."""
    return sum(len([line for line in block.text.splitlines()[1:] if line.strip()]) for block in files)


@pytest.mark.parametrize(
    "section",
    # The callback has a test of its own, and an experiment's second command is a sweep.
    [pytest.param(name, marks=[pytest.mark.slow] * (name in ("A callback", "An experiment"))) for name in SECTIONS],
)
def test_what_is_written_there_works(section, here, records, capsys):
    commands = lay(section, here)
    assert commands
    for words in commands:
        assert words[:3] in (["python", "-m", "lenet.run"], ["python", "-m", "lenet.check"])
        command, own = (check.main, ()) if words[2] == "lenet.check" else (main, ("trainer.figures=none",))
        assert command([*words[3:], *own]) == 0, capsys.readouterr().err
    runs = records()
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert runs[-1].data.metrics["test/accuracy"] > (0.8 if section != "An experiment" else 0.5)


def test_the_callback_records_what_the_page_says(here, records):
    (words,) = lay("A callback", here)
    assert main([*words[3:], "trainer.figures=none"]) == 0
    (run,) = records()
    weights = checkpoint.load(artifacts(run) / "checkpoints/last.npz").arrays["param/conv1/weight"]
    assert run.data.metrics["callbacks/norms/conv1/weight"] == pytest.approx(np.linalg.norm(weights))
    assert run.info.run_name in (artifacts(run) / "callbacks/norms/summary.txt").read_text()


def test_the_layer_that_tells_its_operations_is_counted_and_the_other_is_not(here, capsys):
    shown = {}
    for words in lay("A layer", here):
        if words[2] == "lenet.check":
            assert check.main([*words[3:], "--format", "json"]) == 0
            shown[words[-1]] = [(row["flop"], row["flop_complete"]) for row in json.loads(capsys.readouterr().out)]
    of_linear = 2 * 784 * 10
    assert shown == {
        "network=smooth": [(0, True), (None, False), (of_linear, True), (of_linear, False)],
        "network=counted": [(0, True), (5 * 784, True), (of_linear, True), (5 * 784 + of_linear, True)],
    }


@pytest.mark.slow
def test_the_optimizer_with_a_memory_goes_on_to_the_same_bits(here, client, records, stop_at):
    *_, words = lay("An optimizer", here)
    settings = [*words[3:], "trainer.figures=none", "trainer.checkpoint_every=5steps"]
    assert main(settings) == 0
    stop_at(12)
    with pytest.raises(Stopped):
        main(settings)
    assert resume.main(["last", "--allow", "mylion"]) == 0
    again, whole = records()
    assert_same(client, again, whole)
    names = checkpoint.load(artifacts(whole) / "checkpoints/last.npz").arrays
    assert np.abs(names["mean/conv1/weight"]).max() > 0


@pytest.mark.slow
def test_an_installed_package_is_found_from_anywhere(workplace, tmp_path_factory, records):
    """Installed as a path file does it: among the folders in which Python looks."""
    home = tmp_path_factory.mktemp("site")
    lay("A layer", home / "mypackage")
    (home / "mypackage/__init__.py").write_text("")
    option = home / "mypackage/conf/network/smooth.yaml"
    option.write_text(option.read_text().replace("mylayers.", "mypackage.mylayers."))
    command = [sys.executable, "-m", "lenet.run", "--config-dir", str(home / "mypackage"), "network=smooth"]
    known = environment()
    known["PYTHONPATH"] = f"{home}:{known.get('PYTHONPATH', '')}"
    quick = ["trainer.epochs=1", "trainer.figures=none", "data=npz", "data.images=digits.npz"]
    done = subprocess.run([*command, *quick, "seed=0,1", "-m"], env=known, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    jobs = [run for run in records() if run.data.tags["lenet.kind"] == "job"]
    assert {run.data.params["network.layers.1._target_"] for run in jobs} == {"mypackage.mylayers.Swish"}
