"""How a run ends that is not left alone: it raises, is interrupted, has company, or nobody listens."""

import signal
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

from lenet import checkpoint
from lenet.run import main
from tests.conftest import SMALL, artifacts, environment, save_digits, training
from tests.running.test_run import files


def test_a_run_that_raises_is_failed_and_keeps_its_log(workplace, records, monkeypatch, capsys):
    (workplace / "broken.py").write_text(
        "from lenet.layers import Layer\n"
        "class Broken(Layer):\n"
        "    def forward(self, x):\n"
        "        raise ArithmeticError('no such luck')\n"
    )
    monkeypatch.syspath_prepend(str(workplace))
    assert main([*SMALL, "network.layers.1._target_=broken.Broken", "~network.layers.1.function"]) == 1
    (run,) = records()
    assert run.info.status == "FAILED"
    assert "no such luck" in (artifacts(run) / "log.txt").read_text()
    assert run.data.tags["lenet.error"].startswith(
        "layer `activation1` (broken.Broken) raised ArithmeticError: no such luck (broken.py, line 4); "
    )
    assert "checkpoints/last.npz" in files(run)


def test_a_part_that_raises_before_there_is_a_run_ends_in_one_message(workplace, records, monkeypatch, capsys):
    (workplace / "unbound.py").write_text(
        "from lenet.optimizers import SGD\n"
        "class Unbound(SGD):\n"
        "    def bind(self, theta, decays, backend):\n"
        "        self.velocity = backend.zeros_like(theta)\n"
    )
    monkeypatch.syspath_prepend(str(workplace))
    assert main([*SMALL, "optimizer=sgd", "optimizer._target_=unbound.Unbound"]) == 2
    assert capsys.readouterr().err == (
        "lenet: `optimizer` (unbound.Unbound) raised AttributeError: 'Backend' object has no attribute 'zeros_like' "
        "(unbound.py, line 4).\n"
    )
    assert not records()


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_run_is_killed_with_its_last_checkpoint(number, workplace, records):
    process = training(workplace)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in output + errors
    (run,) = records()
    assert run.info.status == "KILLED"
    meta = checkpoint.load(artifacts(run) / "checkpoints/last.npz").meta
    assert meta["epoch"] >= 2
    assert len(meta["history"]) == meta["epoch"]
    assert "interrupted" in (artifacts(run) / "log.txt").read_text()


@pytest.mark.slow
def test_two_processes_at_once_on_a_folder_without_a_store_both_succeed(tmp_path):
    save_digits(tmp_path / "digits.npz")
    command = [sys.executable, "-m", "lenet.run", *SMALL, "trainer.figures=none"]
    processes = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("lenet").experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]


def test_without_a_terminal_there_are_plain_lines_and_no_bar(workplace, capsys):
    assert main([*SMALL, "trainer.figures=none"]) == 0
    output = capsys.readouterr()
    assert "\r" not in output.out
    assert "%|" not in output.out + output.err
    assert len([line for line in output.out.splitlines() if line.startswith("epoch ")]) == 3
    assert max(map(len, output.out.splitlines())) <= 80


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_a_true_status_too(workplace, records):
    save_digits(workplace / "digits.npz", 3000)
    command = [sys.executable, "-m", "lenet.run", *SMALL, "trainer.epochs=100000"]
    for pause in (0.0, 0.01, 0.02, 0.04):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        )
        for line in process.stdout:
            if line.startswith("epoch 2/"):
                break
        process.send_signal(signal.SIGINT)
        time.sleep(pause)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode in (130, -signal.SIGINT)
    assert {run.info.status for run in records()} == {"KILLED"}


@pytest.mark.slow
def test_a_reader_who_leaves_does_not_stop_the_run(workplace, records):
    command = f"{sys.executable} -m lenet.run {' '.join(SMALL)} | head -2"
    subprocess.run(command, shell=True, check=True, capture_output=True, env=environment())
    (run,) = records()
    assert run.info.status == "FINISHED"
