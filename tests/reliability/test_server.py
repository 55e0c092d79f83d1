"""A tracking server that stops in the middle of a run and comes back later, or a store that is held by others."""

import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from lenet.tracking import journal
from tests.conftest import SMALL, environment, family, save_digits
from tests.reliability.servers import Server, await_
from tests.sameness import points

pytestmark = pytest.mark.slow

EPOCHS = 80
LONG = 1200
"""Epochs of a run that outlasts the start of a server, and half a minute; a loaded machine slows both."""
RUN = (*SMALL, f"trainer.epochs={EPOCHS}", "trainer.checkpoint_every=0.2s", "seed=3")
HOME = Path(__file__).parents[2]


@pytest.fixture
def server(workplace, migrated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(migrated, folder / "server.db")
    save_digits(workplace / "digits.npz", 1500)
    server = Server(folder)
    server.start()
    yield server
    server.kill()


def command(*words):
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "PYTHONPATH": str(HOME)},
    )


def done(process):
    output, errors = process.communicate(timeout=900)
    assert "Traceback" not in output + errors
    return process.returncode, output, errors


def started(*words, until="epoch 3/"):
    """Start a run, and return it with what it said once it is under way."""
    process = command("lenet.run", *RUN, *words)
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(until):
            return process
    raise AssertionError(("".join(said), process.communicate()))


def runs(uri, name=None):
    client = MlflowClient(uri)
    return client, client.search_runs([client.get_experiment_by_name("lenet").experiment_id])


def arrays(client, run, name):
    """Return the bytes of every array of a checkpoint; rates, which it holds besides, differ from run to run."""
    with np.load(client.download_artifacts(run.info.run_id, name), allow_pickle=False) as file:
        return {key: (file[key].dtype.str, file[key].shape, file[key].tobytes()) for key in set(file.files) - {"meta"}}


def assert_undisturbed(server, interval):
    """Hold the run that had a server taken away to one that had a store of its own."""
    code, _, errors = done(command("lenet.run", *RUN))
    assert code == 0, errors
    client, (found,) = runs(server.uri)
    calm_client, (calm,) = runs(f"sqlite:///{Path.cwd()}/mlflow.db")
    assert found.info.status == "FINISHED"
    assert points(client, found) == points(calm_client, calm)
    assert [step for step, _ in points(client, found)["train/loss"]] == list(range(1, EPOCHS + 1))
    for name in ("last", "best"):
        path = f"checkpoints/{name}.npz"
        assert arrays(client, found, path) == arrays(calm_client, calm, path)
    assert {key: value for key, value in found.data.params.items() if key != "tracking.uri"} == {
        key: value for key, value in calm.data.params.items() if key != "tracking.uri"
    }
    for tag in ("lenet.config", "lenet.data", "lenet.code"):
        assert found.data.tags.get(tag) == calm.data.tags.get(tag)
    assert "lenet.error" not in found.data.tags
    assert not [tag for tag in found.data.tags if tag.startswith("lenet.configuration.")]
    assert [each.dataset.name for each in found.inputs.dataset_inputs] == ["digits"]
    for folder in ("", "figures", "config"):
        assert {each.path for each in client.list_artifacts(found.info.run_id, folder or None)} == {
            each.path for each in calm_client.list_artifacts(calm.info.run_id, folder or None)
        }
    start, end = interval
    assert start * 1000 <= found.info.end_time <= end * 1000 + 1
    assert not journal.PLACE.exists()


def test_a_server_that_is_killed_and_comes_back_while_the_run_goes_on(server, report):
    begun = time.time()
    process = started(f"tracking.uri={server.uri}", f"trainer.epochs={LONG}")
    server.kill()
    await_(journal.journals, "nothing was kept")
    (folder,) = journal.journals()
    await_(lambda: (folder / journal.ARTIFACTS / "checkpoints/last.npz").exists(), "no checkpoint was kept")
    server.start()
    await_(lambda: not journal.journals() or process.poll() is not None, "nothing was delivered")
    code, output, errors = done(process)
    assert code == 0, errors
    assert output.count("is kept at") == 1
    assert output.count("has all that was kept") == 1
    client, (found,) = runs(server.uri)
    assert found.info.status == "FINISHED"
    assert begun * 1000 <= found.info.end_time <= time.time() * 1000
    assert [step for step, _ in points(client, found)["train/loss"]] == list(range(1, LONG + 1))
    assert not journal.PLACE.exists()
    report("Tracking server", "killed in the middle of a run, and started again before its end", 1, "no point is lost")


def test_a_server_that_is_back_after_the_run_gets_all_by_the_command(server, report):
    begun = time.time()
    process = started(f"tracking.uri={server.uri}")
    server.kill()
    code, output, errors = done(process)
    ended = time.time()
    assert code == 0, errors
    told = f"python -m lenet.deliver tracking.uri={server.uri}"
    assert told in output
    code, _, errors = done(command(*told.split()[2:]))
    assert code == 2, "the server is still away"
    assert "cannot be opened" in errors
    server.start()
    assert done(command("lenet.deliver"))[0] == 2, "it is not the store of this folder"
    code, output, errors = done(command(*told.split()[2:]))
    assert code == 0, errors
    assert_undisturbed(server, (begun, ended))
    report("Tracking server", "killed in the middle of a run, which ends; `lenet.deliver` afterwards", 1, "all arrives")


def test_a_server_that_is_killed_again_and_again_during_the_delivery(server, report):
    times = 3
    begun = time.time()
    process = started(f"tracking.uri={server.uri}", until="epoch 1/")
    server.kill()
    assert done(process)[0] == 0
    ended = time.time()
    (folder,) = journal.journals()
    words = ("lenet.deliver", str(folder), f"tracking.uri={server.uri}")
    broken = 0
    for number in range(times):
        server.start()
        before = len(list((folder / journal.ARTIFACTS).rglob("*.*")))
        delivering = command(*words)
        if number == 1:  # the command itself is killed
            await_(lambda: _taken(server), "nothing arrives")
            delivering.send_signal(signal.SIGKILL)
            delivering.communicate()
            server.kill()
            continue
        await_(
            lambda: delivering.poll() is not None or len(list((folder / journal.ARTIFACTS).rglob("*.*"))) < before,  # noqa: B023
            "no artifact arrives",
        )
        server.kill()
        broken += done(delivering)[0] != 0
    assert broken, "no delivery was broken off"
    server.start()
    if folder.exists():
        code, _, errors = done(command(*words))
        assert code == 0, errors
    assert_undisturbed(server, (begun, ended))
    report("Tracking server", "killed, with the command or alone, while that delivers", times, "all arrives, once")


def _taken(server):
    with sqlite3.connect(server.database) as database:
        return database.execute("SELECT count(*) FROM metrics WHERE key = 'train/loss'").fetchone()[0] > 10


def test_a_server_that_takes_connections_and_does_not_answer(server, report):
    process = started(f"tracking.uri={server.uri}", f"trainer.epochs={LONG}")
    server.pause(True)
    await_(journal.journals, "nothing was kept")
    server.pause(False)
    code, _, errors = done(process)
    assert code == 0, errors
    client, (found,) = runs(server.uri)
    assert found.info.status == "FINISHED"
    assert [step for step, _ in points(client, found)["train/loss"]] == list(range(1, LONG + 1))
    assert not journal.PLACE.exists()
    report(
        "Tracking server", "stopped in its tracks (SIGSTOP) in the middle of a run for a while", 1, "no point is lost"
    )


def test_a_server_that_is_killed_in_the_middle_of_a_sweep(server, report):
    process = command(
        "lenet.run", *RUN, "trainer.figures=none", "optimizer.lr=0.005,0.01", f"tracking.uri={server.uri}", "-m"
    )
    await_(lambda: _taken(server), "the sweep has not begun")
    server.kill()
    code, output, errors = done(process)
    assert code == 0, errors
    assert "cannot be summed up" in output
    deliver = ("lenet.deliver", f"tracking.uri={server.uri}")
    assert f"python -m {' '.join(deliver)}" in output
    assert len(journal.journals()) == 3
    server.start()
    assert done(command(*deliver))[0] == 0
    client, found = runs(server.uri)
    parent, children = family(found)
    assert [run.info.status for run in found] == ["FINISHED"] * 3
    for child in children:
        assert [step for step, _ in points(client, child)["train/loss"]] == list(range(1, EPOCHS + 1))
    (resume,) = [line for line in output.splitlines() if "sweep.resume=" in line]
    code, _, errors = done(command(*shlex.split(resume)[2:]))
    assert code == 0, errors
    _, found = runs(server.uri)
    assert len(found) == 3, "no job was run again"
    assert client.get_run(parent.info.run_id).data.tags["best_run"] in [child.info.run_id for child in children]
    report("Tracking server", "killed in the middle of a sweep of two jobs", 1, "all arrives, and is summed up later")


@pytest.mark.parametrize("kind", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_store_that_another_process_holds_for_half_a_minute(kind, workplace, records, report):
    save_digits(workplace / "digits.npz", 1500)
    process = started(f"trainer.epochs={LONG}")
    holder = sqlite3.connect(workplace / "mlflow.db", isolation_level=None, timeout=60)
    holder.execute(f"BEGIN {kind}")
    time.sleep(30)
    assert process.poll() is None, "the run has ended too early for this trial"
    holder.execute("ROLLBACK")
    code, output, errors = done(process)
    assert code == 0, errors
    (run,) = records()
    assert run.info.status == "FINISHED"
    client = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    assert [step for step, _ in points(client, run)["train/loss"]] == list(range(1, LONG + 1))
    assert output.count("is kept at") == output.count("has all that was kept") == 1
    assert not journal.PLACE.exists()
    report("Faults", f"the store locked by another process for 30 s (BEGIN {kind})", 1, "no point is lost")
