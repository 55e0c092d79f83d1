"""A real MLflow server that is killed in the middle of a run, and comes back in time, too late, or during delivery."""

import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from mlflow import MlflowClient

from tests.conftest import SMALL, artifacts, environment, save_digits
from tests.reliability.servers import Server
from tests.sameness import RATES, arrays, assert_same, points

pytestmark = pytest.mark.slow

RUN = (*SMALL, "data.images=many.npz", "trainer.epochs=60", "trainer.checkpoint_every=1", "trainer.figures=none")


@pytest.fixture
def server(workplace, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    save_digits(workplace / "many.npz", 3000)
    server = Server(workplace)
    server.start()
    yield server
    server.kill()


def start(module, *arguments):
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())


def await_epoch(process, number):
    for line in process.stdout:
        if line.startswith(f"epoch {number}/"):
            return
    pytest.fail(process.stderr.read())


def ended(process):
    output, errors = process.communicate(timeout=180)
    assert "Traceback" not in output + errors, output + errors
    return process.returncode, output


def recorded(server):
    client = MlflowClient(server.uri)
    runs = client.search_runs([client.get_experiment_by_name("lenet").experiment_id])
    return client, runs


def assert_as_undisturbed(server, workplace, records):
    """Hold the server's run to one that was recorded in a file, in another folder, without disturbance."""
    assert ended(start("lenet.run", *RUN))[0] == 0
    whole = records()[0]
    client, (run,) = recorded(server)
    assert run.info.status == "FINISHED"
    assert run.info.start_time < run.info.end_time <= time.time() * 1000
    ours, theirs = points(client, run), points(MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}"), whole)
    assert ours == theirs
    assert {key: value for key, value in run.data.params.items() if not key.startswith("tracking.")} == {
        key: value for key, value in whole.data.params.items() if not key.startswith("tracking.")
    }
    home = server.folder / "artifacts" / run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    for path in artifacts(whole).rglob("*"):
        if path.is_file():
            assert (home / path.relative_to(artifacts(whole))).is_file(), path.name
    run.info._artifact_uri = str(home)
    assert arrays(run) == arrays(whole)
    assert not list((workplace / "mlruns/undelivered").glob("*"))
    assert set(RATES) <= set(ours)


def test_a_server_that_comes_back_while_the_run_goes_on(server, workplace, records, report):
    process = start("lenet.run", *RUN, "trainer.epochs=1200", f"tracking.uri={server.uri}")
    await_epoch(process, 5)
    server.kill()
    await_epoch(process, 40)
    assert list((workplace / "mlruns/undelivered").iterdir())
    server.start()
    code, output = ended(process)
    assert code == 0
    assert "answers again" in output
    client, (run,) = recorded(server)
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [point.step for point in history] == list(range(1, 1201))
    assert not list((workplace / "mlruns/undelivered").glob("*"))
    report("Tracking server", "`mlflow server` killed in a run and started again before its end", 1, "all delivered")


def test_a_server_that_comes_back_too_late(server, workplace, records, report):
    process = start("lenet.run", *RUN, f"tracking.uri={server.uri}")
    await_epoch(process, 3)
    server.kill()
    code, output = ended(process)
    assert code == 0, "training is not lost"
    (folder,) = (workplace / "mlruns/undelivered").iterdir()
    assert f"python -m lenet.deliver {folder}" in output
    code, _ = ended(start("lenet.deliver"))
    assert code == 2, "there is still no server"
    server.start()
    assert ended(start("lenet.deliver", str(folder)))[0] == 0
    assert_as_undisturbed(server, workplace, records)
    happened = "`python -m lenet.deliver` delivered all; metrics and weights as of an undisturbed run"
    report("Tracking server", "`mlflow server` killed in a run and started again after its end", 1, happened)


def test_a_server_that_is_killed_during_delivery(server, workplace, records, report):
    process = start("lenet.run", *RUN, f"tracking.uri={server.uri}")
    await_epoch(process, 2)
    server.kill()
    assert ended(process)[0] == 0
    times = 0
    for seconds in (1.7, 2.0, 2.3, 2.6):
        server.start()
        delivery = start("lenet.deliver")
        time.sleep(seconds)
        server.kill()
        code, _ = ended(delivery)
        times += code != 0
        if code == 0:
            break
    server.start()
    assert ended(start("lenet.deliver"))[0] == 0
    assert_as_undisturbed(server, workplace, records)
    report("Tracking server", "`mlflow server` killed again while all that was delivered", times, "delivered once")


def test_a_store_that_is_locked_for_half_a_minute(workplace, records, report):
    save_digits(workplace / "many.npz", 3000)
    seconds = 30
    process = start("lenet.run", *RUN, "trainer.epochs=400")
    await_epoch(process, 3)
    connection = sqlite3.connect(workplace / "mlflow.db", isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    threading.Timer(seconds, connection.execute, ["ROLLBACK"]).start()
    assert ended(process)[0] == 0
    connection.close()
    assert ended(start("lenet.run", *RUN, "trainer.epochs=400"))[0] == 0
    assert_same(MlflowClient(), *records())
    assert not list((workplace / "mlruns/undelivered").glob("*"))
    report("Faults", f"the store locked by another process for {seconds} s during a run", 1, "nothing lost")
