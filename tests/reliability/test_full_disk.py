"""A disk that is full while checkpoints, figures and the store are written: a small one, mounted for the test alone."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from lenet import resume
from lenet.run import main
from tests.conftest import SMALL, artifacts, environment, save_digits
from tests.sameness import assert_same

pytestmark = pytest.mark.slow

SIZE = 24 << 20
RUN = (*SMALL, "trainer.checkpoint_every=0.2s", "trainer.epochs=400")


class Disk:
    """A file system in memory, at a folder, in a mount namespace of its own: what runs `inside` sees it there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        mount = f"mount -t tmpfs -o size={SIZE} none {folder} && echo ready && exec sleep 600"
        self.holder = subprocess.Popen(["unshare", "-rm", "sh", "-c", mount], stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            pytest.skip("no file system can be mounted here (unshare -rm)")

    @property
    def seen(self) -> Path:
        """The folder as it is seen from outside."""
        return Path(f"/proc/{self.holder.pid}/root{self.folder}")

    def inside(self, place: Path, module: str, *arguments: str) -> "subprocess.Popen[str]":
        enter = ["nsenter", "-t", str(self.holder.pid), "-U", "-m", "--preserve-credentials"]
        command = [*enter, "sh", "-c", f'cd {place} && exec "$@"', "sh", sys.executable, "-m", module, *arguments]
        paths = {"PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**environment(), **paths}
        )

    def fill(self) -> None:
        """Leave no byte free."""
        with open(self.seen / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                return

    def free(self) -> None:
        (self.seen / "filler").unlink()

    def give_back(self) -> None:
        """Copy everything to the folder as it is outside, and end."""
        shutil.copytree(self.seen, self.folder, dirs_exist_ok=True)
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def disk(workplace):
    if sys.platform != "linux":
        pytest.skip("mount namespaces are Linux's")
    disk = Disk(workplace / "small")
    shutil.copy(workplace / "mlflow.db", disk.seen)
    save_digits(workplace / "digits.npz", 1500)
    shutil.copy(workplace / "digits.npz", disk.seen)
    yield disk
    disk.holder.kill()
    disk.holder.wait()


def await_epoch(process, number):
    for line in process.stdout:
        if line.startswith(f"epoch {number}/"):
            return
    pytest.fail(process.stderr.read())


def await_pause(process):
    deadline = time.monotonic() + 60
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_disk_that_is_full_for_a_while(disk, workplace, report):
    uri = f"tracking.uri=sqlite:///{disk.folder}/mlflow.db"
    process = disk.inside(workplace, "lenet.run", *RUN, uri)
    await_epoch(process, 3)
    disk.fill()
    time.sleep(1.5)
    disk.free()
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    assert "Traceback" not in output + errors
    assert output.count("is kept at") == output.count("has all that was kept") == 1
    assert not list(Path("mlruns/undelivered").glob("*"))
    disk.give_back()
    assert main([*RUN, uri]) == 0
    client = MlflowClient(uri.removeprefix("tracking.uri="))
    assert_same(client, *client.search_runs([client.get_experiment_by_name("lenet").experiment_id]))
    happened = "training goes on; metrics and checkpoints are kept in another place and delivered; nothing lost"
    report("Faults", "the disk of store and checkpoints is full for a while in a run", 1, happened)


@pytest.mark.parametrize("moment", ["training", "the end"])
def test_a_disk_that_stays_full(moment, disk, workplace, report, capsys):
    if moment == "training":
        settings = RUN
        process = disk.inside(disk.folder, "lenet.run", *settings)
        await_epoch(process, 3)
    else:
        settings = (*RUN[:-1], "trainer.epochs=20", "trainer.checkpoint_every=1")
        process = disk.inside(disk.folder, "tests.reliability.pausing", "lenet.run", *settings)
        await_epoch(process, 20)
        await_pause(process)
    disk.fill()
    process.send_signal(signal.SIGCONT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1, output + errors
    assert "Traceback" not in output + errors, output + errors
    assert errors.startswith("lenet: ")
    assert errors.count("\n") == 1
    assert "No space left" in errors or "disk is full" in errors
    disk.free()
    disk.give_back()
    uri = f"sqlite:///{disk.folder}/mlflow.db"
    assert resume.main(["last", f"tracking.uri={uri}", f"data.images={disk.folder}/digits.npz"]) == 0
    client = MlflowClient(uri)
    assert main([*settings, f"tracking.uri={uri}", f"data.images={disk.folder}/digits.npz"]) == 0
    whole, again = client.search_runs([client.get_experiment_by_name("lenet").experiment_id])
    again.data.tags["lenet.config"] = whole.data.tags["lenet.config"]
    assert_same(client, again, whole)
    assert not [path for path in artifacts(again).rglob(".*") if path.is_file()]
    happened = "exit code 1 and one message; with room again, resumed to the same bits as an undisturbed run"
    report("Faults", f"the disk of everything is full from {moment} on", 1, happened)
