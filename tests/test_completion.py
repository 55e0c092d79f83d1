"""Commands completed in a shell: by bash, zsh and fish, where they are installed."""

import os
import pty
import select
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import lenet

TOP = Path(lenet.__file__).parent

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
