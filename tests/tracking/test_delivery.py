"""What a store does not take is kept on disk, in its order, and delivered once: when it answers, or afterwards."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.tracking import MlflowClient

from lenet import deliver, resume
from lenet.errors import UserError
from lenet.run import main
from lenet.tracking import delivery, process
from lenet.tracking.failures import TrackingError
from lenet.tracking.journal import LINES, PLACE, Journal
from lenet.tracking.run import Run
from lenet.tracking.store import Store
from tests.conftest import SMALL
from tests.sameness import assert_same

METHODS = ("log_batch", "set_tag", "delete_tag", "log_inputs", "set_terminated", "log_artifact", "get_run")


class Network:
    """Stands between clients and stores; while it is `down`, nothing gets through, or only after `left` calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.down = False
        self.left = 0
        self.calls: list[str] = []
        for method in METHODS:
            monkeypatch.setattr(MlflowClient, method, self._through(method, getattr(MlflowClient, method)))

    def _through(self, name: str, method: Any) -> Any:
        def call(client: MlflowClient, *arguments: Any, **keywords: Any) -> Any:
            if self.down and self.left <= 0:
                raise MlflowException("no answer from http://user:secret@host")
            self.left -= self.down
            self.calls.append(name)
            return method(client, *arguments, **keywords)

        return call


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Network:
    monkeypatch.setattr(delivery, "LAST_SECONDS", 0.0)
    return Network(monkeypatch)


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PATIENCE", (0.0, 0.0))
    monkeypatch.setattr(delivery, "SHARE", 0)


def far(store: Store, client: MlflowClient) -> Run:
    """A run whose artifacts are not files of this machine."""
    begun = store.start_run("far", params={"a": 1})
    return Run(client, begun.id, "far", "mlflow-artifacts:/1/a", flush_seconds=0, store=store.uri)


def write_some(run: Run, first: int = 1, last: int = 3) -> None:
    for step in range(first, last + 1):
        run.log_metrics({"m": step / 3, "n": float("nan")}, step)
        run.log_bytes(b"%d" % step, "checkpoints/last.npz")
        run.set_tag("t", step)
    run.log_params({f"p{last}": "x"})
    run.log_dataset("digits", "0" * 64, "file:///digits.npz")
    run.set_tag("gone", 1)
    run.delete_tag("gone")


def told(client: MlflowClient, run: Run) -> dict[str, Any]:
    found = client.get_run(run.id)
    path = Path(found.info.artifact_uri, "checkpoints/last.npz")
    return {
        "points": [(p.step, p.value) for p in client.get_metric_history(run.id, "m")],
        "params": found.data.params,
        "tag": found.data.tags.get("t"),
        "gone": found.data.tags.get("gone"),
        "status": found.info.status,
        "last": path.read_bytes() if path.exists() else None,
        "data": [each.dataset.name for each in found.inputs.dataset_inputs],
    }


WHOLE = {
    "points": [(step, step / 3) for step in range(1, 7)],
    "params": {"a": "1", "p3": "x", "p6": "x"},
    "tag": "6",
    "gone": None,
    "status": "FINISHED",
    "last": b"6",
    "data": ["digits"],
}


def test_what_was_kept_is_delivered_when_the_store_answers_again(
    store: Store, client: MlflowClient, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run = far(store, client)
    network.down = True
    write_some(run)
    assert [path.name for path in PLACE.iterdir()] == [run.id]
    assert caplog.text.count("does not answer") == 1
    assert "secret" not in caplog.text + (PLACE / run.id / LINES).read_text()
    network.down = False
    write_some(run, 4, 6)
    assert not (PLACE / run.id).exists()
    assert caplog.text.count("answers again") == 1
    run.close("FINISHED")
    assert told(client, run) == WHOLE


@pytest.mark.parametrize("calls", range(1, 14))
def test_a_store_that_goes_in_the_middle_of_a_delivery_gets_everything_once(
    calls: int, store: Store, client: MlflowClient, network: Network
) -> None:
    run = far(store, client)
    network.down = True
    write_some(run)
    network.left = calls
    write_some(run, 4, 6)
    network.down = False
    run.close("FINISHED")
    assert told(client, run) == WHOLE


def test_an_artifact_is_kept_once_and_delivered_once(store: Store, client: MlflowClient, network: Network) -> None:
    run = far(store, client)
    network.down = True
    for number in range(50):
        run.log_bytes(b"%d" % number, "checkpoints/last.npz")
    kept = [path for path in (PLACE / run.id).rglob("*") if path.is_file()]
    assert sorted(path.name for path in kept) == [LINES, "last.npz"]
    network.down = False
    run.close("FINISHED")
    assert network.calls.count("log_artifact") == 1
    assert told(client, run)["last"] == b"49"


def lost(store: Store, client: MlflowClient, network: Network, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose store did not come back before its end, and whose process has ended."""
    run = far(store, client)
    network.down = True
    write_some(run)
    write_some(run, 4, 6)
    run.close("FINISHED")
    network.down = False
    monkeypatch.setattr(process, "process_start", lambda pid: None)
    return run


def test_the_command_delivers_afterwards_and_removes_what_it_has_delivered(
    store: Store,
    client: MlflowClient,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = lost(store, client, network, monkeypatch)
    assert f"python -m lenet.deliver {(PLACE / run.id).absolute()}" in caplog.text
    assert told(client, run)["status"] == "RUNNING"
    assert resume.main(["far"]) == 2
    assert deliver.main([]) == 0
    assert told(client, run) == WHOLE
    assert not any(PLACE.iterdir())
    assert f"run `far` ({run.id}): delivered" in capsys.readouterr().out
    assert deliver.main([]) == 0
    assert "nothing is undelivered here" in capsys.readouterr().out


@pytest.mark.parametrize("calls", range(12))
def test_a_delivery_that_breaks_off_is_done_again(
    calls: int, store: Store, client: MlflowClient, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lost(store, client, network, monkeypatch)
    network.down, network.left = True, calls
    assert deliver.main([]) == 1
    assert (PLACE / run.id / LINES).exists()
    network.down = False
    assert deliver.main([str(PLACE / run.id)]) == 0
    assert told(client, run) == WHOLE


def test_a_line_that_was_not_finished_is_left_out(
    store: Store, client: MlflowClient, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lost(store, client, network, monkeypatch)
    with open(PLACE / run.id / LINES, "a") as file:
        file.write('{"do": "tag", "key": "t", "te')
    assert deliver.main([]) == 0
    assert told(client, run) == WHOLE


def test_a_run_that_still_lives_delivers_itself(
    store: Store, client: MlflowClient, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    run = far(store, client)
    network.down = True
    write_some(run)
    network.down = False
    assert deliver.main([]) == 2
    assert "is still written by process" in capsys.readouterr().err
    write_some(run, 4, 6)
    run.close("FINISHED")
    assert told(client, run) == WHOLE


def test_a_run_that_was_taken_up_since_is_left_alone(
    store: Store,
    client: MlflowClient,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = lost(store, client, network, monkeypatch)
    client.set_tag(run.id, process.PID, "1")
    assert deliver.main([]) == 2
    assert "taken up by another process" in capsys.readouterr().err
    assert (PLACE / run.id / LINES).exists()


DAMAGES = {
    "empty": lambda lines: "",
    "no journal": lambda lines: "[]\n",
    "no JSON": lambda lines: lines.replace('{"do": "tag"', '{"do: "tag"'),
    "unknown": lambda lines: lines.replace('"do": "tag"', '"do": "call"'),
    "no points": lambda lines: lines.replace('"points": [[', '"points": [[[['),
    "short points": lambda lines: lines.replace('["m", ', '["m"], ['),
    "outside": lambda lines: lines.replace("checkpoints/last.npz", "../../../last.npz"),
    "absolute": lambda lines: lines.replace("checkpoints/last.npz", "/etc/passwd"),
    "missing": lambda lines: lines.replace("checkpoints/last.npz", "checkpoints/first.npz"),
    "no name": lambda lines: lines.replace('"name": "checkpoints/last.npz"', '"nam": 3'),
    "long": lambda lines: lines + '{"do": "' + "x" * 200_000 + '"}\n',
    "deep": lambda lines: lines + "[" * 100_000 + "\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_is_refused_with_one_message_and_kept(
    damage: str,
    store: Store,
    client: MlflowClient,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = lost(store, client, network, monkeypatch)
    path = PLACE / run.id / LINES
    path.write_text(DAMAGES[damage](path.read_text()))
    assert deliver.main([]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert run.id in error
    assert path.exists()


def test_a_journal_for_a_store_with_a_password_asks_for_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    owner = {"name": "a", "store": "http://***@host:5000", process.HOST: "h", process.PID: "1", process.START: "x"}
    Journal.begin("0" * 32, owner)
    assert deliver.main([]) == 2
    error = capsys.readouterr().err
    assert "http://***@host:5000" in error
    assert "MLFLOW_TRACKING_URI" in error


def test_what_is_no_journal_is_refused(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert deliver.main(["empty"]) == 2
    with pytest.raises(UserError, match="holds no"):
        from lenet.tracking.redelivery import redeliver

        redeliver(folder / "nothing", None)


def test_where_the_disk_takes_nothing_either_it_is_said(
    store: Store, client: MlflowClient, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = far(store, client)
    network.down = True
    Path("mlruns").write_text("a file where the folder belongs")
    with pytest.raises(TrackingError, match="no journal can be kept"):
        run.set_tag("t", 1)


def test_what_a_store_refuses_is_an_error_at_once(
    store: Store, client: MlflowClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise MlflowException("no such run", error_code=INVALID_PARAMETER_VALUE)

    run = far(store, client)
    monkeypatch.setattr(MlflowClient, "set_tag", refuse)
    with pytest.raises(TrackingError, match="no such run"):
        run.set_tag("t", 1)
    assert not PLACE.exists()


def test_a_whole_run_whose_store_goes_and_comes_back_is_recorded_as_any_other(
    workplace: Path, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*SMALL, "trainer.figures=none"]
    assert main(command) == 0
    monkeypatch.setattr(delivery, "PATIENCE", (0.01, 0.02))
    network = Network(monkeypatch)
    original = Run.log_metrics

    def going(self: Run, metrics: Any, step: int) -> None:
        self.flush_seconds = 0
        network.down = step == 2
        original(self, metrics, step)

    monkeypatch.setattr(Run, "log_metrics", going)
    assert main(command) == 0
    network.down = False
    assert_same(MlflowClient(), *records())
    assert not any(Path("mlruns/undelivered").iterdir())


def test_a_journal_is_plain_json(store: Store, client: MlflowClient, network: Network) -> None:
    run = far(store, client)
    network.down = True
    write_some(run)
    first, *others = map(json.loads, (PLACE / run.id / LINES).read_text().splitlines())
    assert first["run"] == run.id
    assert {line["do"] for line in others} == {"points", "artifact", "tag", "untag", "params", "dataset"}
