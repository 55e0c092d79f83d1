"""What the pages say holds: their Python prints what they show, their links lead somewhere, their commands work."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.pictures import PICTURES
from lenet.command_line.arguments import Parser
from lenet.configuration.build import build
from lenet.configuration.config import read
from lenet.plots.style import to_png
from tests.pages import PAGES, ROOT, anchors, blocks, commands, links

FETCHED = re.compile(r"<(?:script|img|iframe)[^>]+src=.https?://|<link[^>]+stylesheet[^>]+https?://")
TYPED = [path for path in PAGES if any(">>>" in block.text for block in blocks(path))]


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


@pytest.mark.parametrize("path", TYPED, ids=names(TYPED))
def test_what_is_typed_prints_what_is_shown(path, workplace):
    known: dict[str, object] = {}
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for block in blocks(path):
        if block.language == "python":
            example = doctest.DocTestParser().get_doctest(block.text, known, path.name, str(path), block.line)
            assert example.examples, f"{path.name}:{block.line} is never run"
            runner.run(example, out=told.append, clear_globs=False)
            known = example.globs
    assert not runner.failures, "".join(told)


@pytest.mark.parametrize("path", PAGES, ids=names(PAGES))
def test_links_lead_somewhere(path):
    for link in links(path):
        target, _, anchor = link.partition("#")
        if target.startswith(("https://", "http://")):
            assert target.startswith(("https://keepachangelog.com/", "https://semver.org/")), link
            continue
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), link
        assert found.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(found), link


COMMANDS = sorted({tuple(words[2:]) for path in PAGES for words in commands(path) if words[2].startswith("lenet.")})
RUNS = [words for words in COMMANDS if words[0] == "lenet.run"]
EXTRA = (
    "hydra/sweeper=optuna",
    "hydra.sweeper.",
    "hydra/launcher=",
    "hydra.launcher.",
    "sweep.resume=",
    "--cfg",
    "job",
)
"""What asks for a package that need not be installed, for a run, or for something to be shown."""
ELSEWHERE = ("--config-dir", "--help", "tag(")
"""Commands of other tests, of the page on extending and of searches, and those that are no runs."""


@pytest.mark.parametrize("words", RUNS, ids=" ".join)
def test_runs_ask_for_what_there_is(words):
    if not any(word.startswith(ELSEWHERE) or "=tag(" in word for word in words):
        for job in read([word for word in words[1:] if not word.startswith(EXTRA)]).jobs[:1]:
            build(job.config)


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in RUNS], ids=" ".join)
def test_commands_take_what_is_asked_of_them(words, monkeypatch, capsys):
    class Read(Exception):
        pass

    read_options = Parser.read

    def reading(self, arguments):
        read_options(self, arguments)
        raise Read

    monkeypatch.setattr(Parser, "read", reading)
    with pytest.raises(Read):
        importlib.import_module(words[0]).main([word for word in words[1:] if word != "[RUN"])


def test_the_readme_is_short_and_its_table_of_pages_whole():
    readme = ROOT / "README.md"
    assert len(readme.read_text(encoding="utf-8").splitlines()) <= 140
    pages = {f"docs/{path.name}" for path in ROOT.glob("docs/*.md")}
    copies = {"docs/index.md", "docs/changelog.md", "docs/contributing.md", "docs/experiments.md"}
    assert pages - copies <= links(readme)


def test_what_to_expect_is_the_same_on_both_pages():
    rows = [
        [
            line
            for line in (ROOT / page).read_text(encoding="utf-8").splitlines()
            if line.startswith("| `python -m lenet.run")
        ]
        for page in ("README.md", "docs/getting-started.md")
    ]
    assert rows[0] == rows[1] != []


def test_pictures_are_those_that_are_drawn():
    drawn = {f"{name}.png" for name in PICTURES}
    assert {path.name for path in (ROOT / "docs/figures").iterdir()} == drawn
    assert drawn == {
        Path(link).name
        for path in PAGES
        for link in links(path)
        if link.startswith("figures/") and path.parent.name == "docs"
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_can_be_drawn(name):
    assert to_png(PICTURES[name]()).startswith(b"\x89PNG")


@pytest.mark.slow
def test_pages_are_built_without_a_warning_and_need_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("sphinx", reason="lenet[docs] is not installed")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = sorted(tmp_path.rglob("*.html"))
    assert len(built) > 20
    for path in built:
        text = path.read_text(encoding="utf-8")
        assert not FETCHED.findall(text), path
    assert "<math" in (tmp_path / "convolution.html").read_text(encoding="utf-8")
