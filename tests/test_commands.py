"""All commands under one name: listed, called, helped with as they are called, and completed in a shell."""

import json
import logging
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import lenet
from lenet.__main__ import COMMANDS, main
from lenet.command_line.command import run_command, write_out
from lenet.errors import UserError
from tests.conftest import SMALL, artifacts, family
from tests.terminals import on_terminal

TOP = Path(lenet.__file__).parent
CONSOLE = f"""\
#!{sys.executable}
import sys

from lenet.__main__ import main

sys.exit(main())
"""
"""The console command, as an installer writes it."""


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    """Return the environment in which the shell finds the console command."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "lenet").write_text(CONSOLE)
    (folder / "lenet").chmod(0o755)
    places = (folder, Path(sys.executable).parent, os.environ["PATH"])
    return {**os.environ, "PYTHONPATH": str(TOP.parent), "PATH": os.pathsep.join(map(str, places))}


def helped(arguments, capsys):
    """Return what is shown of help."""
    with suppress(SystemExit):
        assert main(arguments) == 0
    return capsys.readouterr().out


def test_every_command_is_listed_with_one_line_in_eighty_columns(capsys):
    shown = helped(["--help"], capsys)
    assert max(map(len, shown.splitlines())) <= 80
    for name, line in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", shown, re.MULTILINE)


def test_every_module_with_a_main_is_a_command():
    mains = {path.stem for path in TOP.glob("*.py") if "\ndef main(" in path.read_text(encoding="utf-8")}
    assert mains == {*COMMANDS, "__main__"}


CALLS = {
    "/somewhere/bin/lenet": "lenet {}",
    "/somewhere/lenet/__main__.py": "python -m lenet {}",
    "/somewhere/lenet/{}.py": "python -m lenet.{}",
}


@pytest.mark.parametrize(
    ("name", "called", "usage"),
    [
        # Hydra takes two seconds for its help.
        pytest.param(name, *call, marks=[pytest.mark.slow] * (name == "run" and number > 0))
        for name in COMMANDS
        for number, call in enumerate(CALLS.items())
    ],
)
def test_help_says_in_eighty_columns_what_the_command_was_called_by(name, called, usage, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", [called.format(name), "--help"])
    shown = helped([name, "--help"], capsys)
    assert shown.startswith(f"usage: {usage.format(name)} [")
    assert max(map(len, shown.splitlines())) <= 80
    assert set(re.findall(r"(?:python -m )?\blenet[. ](?:run|compare)\b", shown)) <= {
        usage.format("run"),
        usage.format("compare"),
    }


@pytest.mark.parametrize(("called", "command"), CALLS.items())
def test_commands_in_messages_are_as_this_one_was_called_and_those_in_results_as_recorded(
    called, command, capsys, monkeypatch
):
    def told() -> int:
        logging.getLogger("lenet").info("to go on with it:\n%s", "python -m lenet.resume 123")
        write_out("python -m lenet.run seed=1\n")
        raise UserError("deliver it first: python -m lenet.deliver")

    monkeypatch.setattr(sys, "argv", [called.format("run")])
    assert run_command(told) == 2
    output = capsys.readouterr()
    assert output.out == f"to go on with it:\n{command.format('resume')} 123\npython -m lenet.run seed=1\n"
    assert output.err == f"lenet: deliver it first: {command.format('deliver')}\n"


@pytest.mark.slow
def test_a_sweep_by_the_console_command_records_what_it_would_by_the_module(workplace, records, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/lenet"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["run", *SMALL, "trainer.epochs=1", "seed=3,4", "-m", "hydra/launcher=basic"]) == 0
    parent, _ = family(records())
    best = parent.data.tags["best_command"]
    assert best.startswith("python -m lenet.run ")
    assert json.loads((artifacts(parent) / "sweep/best.json").read_text())["command"] == best
    assert f"again:\nlenet run {best.removeprefix('python -m lenet.run ')}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cmpare"], "there is no command `cmpare`. Did you mean `compare`? Accepted: run, "),
        ([], "a command is missing. Accepted: run, "),
        (["--versio"], "unknown option `--versio`. Did you mean `--version`?"),
        (["compare", "--formt", "csv"], "unknown option `--formt`. Did you mean `--format`?"),
    ],
)
def test_what_is_no_command_is_said_in_one_message(arguments, said, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


PATH = f"/{'a/very/long/path' * 6}/mlflow.db"
MESSAGES = (
    f"there is no store at {PATH}: go to the folder of the runs, or use `python -m lenet.run tracking.uri={PATH}`.",
    "there is no run `sweep lr=0.1`. Accepted: a run's id, or the beginning of one, its name, `last`, or `best:SWEEP`.",
    "data: did not find the images, plain or .gz, under\n  /one/folder (data.root, no such folder)\n  /another/folder",
    "`hydra/sweeper=optuna` needs a package, which is not installed: `pip install 'lenet[optuna]'`, and try it again.",
)


def fail_with(message):
    def fail() -> int:
        raise UserError(message)

    assert run_command(fail) == 2


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("message", MESSAGES)
def test_on_a_terminal_a_message_is_wrapped_between_what_can_be_copied(message, columns, monkeypatch):
    shown = on_terminal(monkeypatch, "stderr", columns, lambda: fail_with(message))
    lines = shown.splitlines()
    assert " ".join(shown.split()) == " ".join(f"lenet: {message}".split())
    assert [line.startswith("  ") for line in lines] == [False, *[True] * (len(lines) - 1)]
    for line in lines:
        assert len(line) <= columns or re.fullmatch(r"  (`[^`]*`|\S+)\S*", line)
    assert all(quoted in shown for quoted in re.findall("`[^`]*`", message))


@pytest.mark.parametrize("message", MESSAGES)
def test_elsewhere_a_message_has_the_lines_that_it_was_given(message, capsys):
    fail_with(message)
    assert capsys.readouterr().err == f"lenet: {message}\n"


@pytest.mark.parametrize("columns", [80, 60])
def test_a_missing_command_is_said_within_the_terminal(columns, monkeypatch):
    shown = on_terminal(monkeypatch, "stderr", columns, lambda: main([]))
    assert max(map(len, shown.splitlines())) <= columns
    assert shown.count("\n") > 1


def test_a_terminal_that_does_not_know_its_width_wraps_by_itself(monkeypatch):
    assert on_terminal(monkeypatch, "stderr", 0, lambda: fail_with(MESSAGES[0])).count("\n") == 1


def test_only_the_module_of_the_command_is_imported():
    code = (
        "import sys\n"
        "from lenet.__main__ import COMMANDS, main\n"
        "assert main(['disk', '--nothing']) == 2\n"
        "assert not {'numpy', 'hydra', 'mlflow', 'argcomplete', 'pydantic', 'tabulate'} & set(sys.modules)\n"
        "assert {name for name in COMMANDS if f'lenet.{name}' in sys.modules} == {'disk'}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)


def test_the_console_command_finds_modules_in_the_folder_as_python_does(console, tmp_path):
    (tmp_path / "mine.py").write_text("from lenet.optimizers import SGD\nclass Mine(SGD): ...\n")
    command = ["lenet", "run", *SMALL, "data.images=nothing.npz", "optimizer=sgd", "optimizer._target_=mine.Mine"]
    done = subprocess.run(command, cwd=tmp_path, env=console, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nothing.npz" in done.stderr  # the data are looked for once the optimizer is there


ASK = """\
eval "$(register-python-argcomplete lenet)"
while read -r line; do
    COMP_LINE=$line COMP_POINT=${#line} COMP_TYPE=9 _python_argcomplete lenet
    echo "${COMPREPLY[*]}"
done
"""


def needs(shell):
    """Return the mark of a test that is skipped where a shell is not installed."""
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def completed(lines, folder, environment):
    """Return what bash makes of lines, each with the cursor at its end."""
    asked = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(
        ["bash", "-c", ASK], input=asked, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return dict(zip(lines, map(str.strip, done.stdout.splitlines()), strict=True))


def test_bash_completes_commands_options_overrides_and_files(console, tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scan.png").touch()
    lines = {
        "lenet co": "compare",
        "lenet compare --format m": "markdown",
        "lenet run optimizer=nes": "nesterov",
        "lenet predict l": "last",
        "lenet predict last sca": "scan.png scans/",
        "lenet deliver sca": "scans/",
        "lenet evaluate --config-dir sca": "scans/",
        "lenet compare --plot sca": "scan.png scans/",
        "lenet runs --limit s": "",
    }
    assert completed(lines, tmp_path, console) == lines


@pytest.mark.slow
def test_bash_completes_what_hydra_suggests_wherever_it_stands(console, tmp_path):
    lines = {
        "lenet compare --fo": "--format",
        "lenet resume l": "last",
        "lenet run optimizer=adam seed=1 -m optimizer.decay_b": "optimizer.decay_biases=",
        "lenet run --config-dir own network=w": "wide",
        "lenet run experiment=fas": "fastest",
        "lenet run seed=1 --con": "--config-dir",
        "lenet run data.root=ow": "",
        "lenet run data.root=./ow": "./own/",
        "lenet run optimizr=x seed": "",
        "lenet evaluate last data=mnist_": "mnist_5k",
        "lenet evaluate last data=npz data.test_im": "data.test_images=",
        "lenet evaluate --config-dir own last data=m": "mine mnist mnist_5k",
        "lenet evaluate la": "last",
        "lenet evaluate last optimiz": "",
        "lenet run trainer.figures=": "basic all none",
        "lenet run seed=0,1 -m backend.dtype=": "float32 float64",
        "lenet run optimizer=adam optimizer.decay_biases=t": "true",
        "lenet run data.scaling=le": "lecun",
        "lenet run trainer.epochs=": "20",
    }
    (tmp_path / "own/network").mkdir(parents=True)
    (tmp_path / "own/network/wide.yaml").write_text("layers: []\n")
    (tmp_path / "own/data").mkdir()
    (tmp_path / "own/data/mine.yaml").write_text("_target_: mine.Mine\n")
    assert completed(lines, tmp_path, console) == lines


REGISTER = 'eval "$(register-python-argcomplete lenet)"'
COMPINIT = "autoload -Uz compinit && compinit"
FISH = "register-python-argcomplete --shell fish lenet | source"


@pytest.mark.parametrize("page", ["README.md", "lenet/__main__.py"])
def test_what_is_said_of_completion_is_what_is_tried_here(page):
    text = (TOP.parent / page).read_text(encoding="utf-8")
    assert all(command in text for command in (REGISTER, COMPINIT, FISH))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "setup"),
    [
        pytest.param("bash --norc --noprofile -i", REGISTER, id="bash"),
        pytest.param("zsh -f -i", f"{COMPINIT}; {REGISTER}", id="zsh", marks=needs("zsh")),
    ],
)
def test_a_tab_in_an_interactive_shell_completes(shell, setup, console, tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "digit.png").touch()
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        words = shell.split()
        os.execvpe(words[0], words, {**console, "PS1": "$ ", "TERM": "dumb", "HOME": str(tmp_path)})

    def type_and_read(typed: str, until: str) -> str:
        os.write(terminal, typed.encode())
        shown, deadline = "", time.monotonic() + 30
        while until not in shown:
            assert time.monotonic() < deadline, shown
            if select.select([terminal], [], [], 0.1)[0]:
                shown += os.read(terminal, 4096).decode()
        return shown

    try:
        type_and_read(f'{setup}; echo rea""dy\n', "ready")
        type_and_read("lenet rep\t", "lenet reproduce ")
        type_and_read("\x15lenet run optimizer=sg\t", "lenet run optimizer=sgd ")
        type_and_read("-m schedule.war\t", "schedule.warmup=")
        type_and_read("\x15lenet predict last s\t", "last scans/")
        type_and_read("\x15lenet predict last digi\t", "last digit.png")
    finally:
        os.write(terminal, b"\x15exit\n")
        os.waitpid(process, 0)
        os.close(terminal)


@pytest.mark.slow
@needs("fish")
def test_fish_completes_commands_and_files(console, tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "digit.png").touch()
    lines = {"lenet rep": "reproduce", "lenet predict last s": "scans/", "lenet predict last digi": "digit.png"}
    for line, word in lines.items():
        command = ["fish", "--no-config", "--command", f"{FISH}; complete -C {shlex.quote(line)}"]
        done = subprocess.run(command, cwd=tmp_path, env=console, capture_output=True, text=True, check=True)
        assert [shown.split("\t")[0] for shown in done.stdout.splitlines()] == [word]
