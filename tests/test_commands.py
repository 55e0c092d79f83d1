"""All commands under one name: listed, called, and helped with as they are called."""

import json
import logging
import re
import subprocess
import sys
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
