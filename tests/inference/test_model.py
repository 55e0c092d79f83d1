"""The MLflow model of a run: it works from the run alone, says what `lenet.predict` says, and has the run's weights."""

import ast
import csv
import io
import json
import os
import shlex
import subprocess
import sys
import time
import urllib.request

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

import lenet
from lenet import checkpoint, disk, resume
from lenet.deliver import main as deliver
from lenet.errors import UserError
from lenet.predict import main as predict
from lenet.run import main
from lenet.tracking import delivery
from tests.conftest import SMALL, Stopped, artifacts
from tests.pages import ROOT, blocks
from tests.stopping import train

COLUMNS = ["label", "probability", "runner_up"]


@pytest.fixture
def expected(beside_run, digits, tmp_path, capsys):
    """Return what `lenet.predict` says of the digits, as (label, probability, runner-up)."""
    for number, digit in enumerate(digits):
        Image.fromarray(digit[0]).save(tmp_path / f"{number:03}.png")
    assert predict(["last", str(tmp_path), "--raw", "--format", "csv"]) == 0
    rows = csv.DictReader(io.StringIO(capsys.readouterr().out))
    return [(row["label"], float(row["probability"]), row["runner_up"]) for row in rows]


def test_it_says_what_predict_says_to_the_last_bit(uri, digits, expected):
    model = mlflow.pyfunc.load_model(uri)
    found = model.predict(digits)
    assert list(found.columns) == COLUMNS
    assert list(found.itertuples(index=False, name=None)) == expected
    assert len(model.predict(digits[:0])) == 0


def test_it_has_a_signature_and_an_example_that_fit_it(uri):
    model = mlflow.pyfunc.load_model(uri)
    (column,) = model.metadata.signature.inputs.inputs
    assert (column.type, column.shape) == (np.dtype(np.uint8), (-1, 1, 28, 28))
    assert model.metadata.signature.outputs.input_names() == COLUMNS
    assert model.input_example.shape == (1, 1, 28, 28)
    assert model.predict(model.input_example).label.tolist()
    assert model.metadata.run_id == uri.split("/")[1]


def test_there_are_no_pickles_and_nothing_of_this_machine_in_it(uri, beside_run):
    (folder,) = beside_run.glob("mlruns/*/*/artifacts/model")
    assert sorted(path.name for path in folder.iterdir()) == [
        "MLmodel",
        "input_example.json",
        "python_env.yaml",
        "requirements.txt",
        "serving.py",
        "serving_input_example.json",
        "weights.npz",
    ]
    for path in folder.iterdir():
        assert str(beside_run).encode() not in path.read_bytes()
        assert os.path.dirname(lenet.__file__).encode() not in path.read_bytes()
    np.load(folder / "weights.npz", allow_pickle=False)


def test_its_code_uses_only_what_lenet_promises(beside_run):
    (code,) = beside_run.glob("mlruns/*/*/artifacts/model/serving.py")
    imports = [node for node in ast.walk(ast.parse(code.read_text())) if isinstance(node, ast.ImportFrom)]
    used = [(node.module, name.name) for node in imports for name in node.names if node.module.startswith("lenet")]
    assert used
    assert all(module == "lenet" and name in lenet.__all__ for module, name in used)


def test_what_it_takes_on_disk_is_told(beside_run, capsys):
    assert disk.main(["last", "--format", "csv"]) == 0
    row = next(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    (folder,) = beside_run.glob("mlruns/*/*/artifacts/model")
    assert int(row["model"]) == sum(path.stat().st_size for path in folder.iterdir())
    parts = [int(row[kind]) for kind in ("checkpoints", "model", "figures", "other")]
    assert int(row["total"]) == sum(parts)


@pytest.mark.slow
def test_it_is_served_over_http_and_from_the_command_line(uri, beside_run, digits, expected):
    place = os.path.dirname(sys.executable)  # where MLflow looks for the server that it starts
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(), "PATH": path}
    folder = next(beside_run.glob("mlruns/*/*/artifacts/model"))
    command = [sys.executable, "-m", "mlflow", "models"]
    example = ["-i", str(folder / "serving_input_example.json"), "-t", "json", "--env-manager", "local"]
    told = subprocess.run([*command, "predict", "-m", uri, *example], env=environment, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == {"predictions": [dict(zip(COLUMNS, expected[0], strict=True))]}
    port = 20_000 + os.getpid() % 20_000
    serve = [*command, "serve", "-m", uri, "--env-manager", "local", "-p", str(port)]
    server = subprocess.Popen(serve, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found = []
        for start in range(0, 100, 40):
            data = json.dumps({"inputs": digits[start : start + 40].tolist()}).encode()
            found += json.loads(_post(f"http://127.0.0.1:{port}/invocations", data, server))["predictions"]
        assert [tuple(row[column] for column in COLUMNS) for row in found] == expected
        scaled = json.dumps({"inputs": (digits / 255).tolist()}).encode()
        with pytest.raises(urllib.error.HTTPError, match="400"):
            _post(f"http://127.0.0.1:{port}/invocations", scaled, server)
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.slow
def test_the_page_says_how_the_example_is_had_and_where_it_is_sent(uri, beside_run, tmp_path):
    told = [line for block in blocks(ROOT / "docs/using.md") for line in block.text.splitlines()]
    words = [shlex.split(line.replace("runs:/RUN_ID/model", uri), comments=True) for line in told]
    (download,) = [line for line in words if line[:3] == ["mlflow", "artifacts", "download"]]
    (serve,) = [line for line in words if line[:3] == ["mlflow", "models", "serve"]]
    (curl,) = [line for line in words if line[:1] == ["curl"]]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    subprocess.run([sys.executable, "-m", *download], cwd=tmp_path, env=environment, check=True, capture_output=True)
    (file,) = tmp_path.iterdir()
    (folder,) = beside_run.glob("mlruns/*/*/artifacts/model")
    assert file.read_bytes() == (folder / file.name).read_bytes()
    assert f"@{file.name}" in curl
    assert curl[-1] == f"localhost:{serve[serve.index('-p') + 1]}/invocations"


def _post(address, data, server):
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.read()
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)


def weights(run, name="model/weights"):
    saved = checkpoint.load(artifacts(run) / f"{name}.npz")
    return saved.meta["epoch"], {key: saved.arrays[key].tobytes() for key in saved.arrays if key.startswith("param/")}


@pytest.mark.parametrize(("kept", "name"), [("both", "best"), ("last", "last"), ("none", None)])
def test_its_weights_are_the_best_that_are_kept(workplace, records, kept, name):
    assert train(f"trainer.checkpoints={kept}", "optimizer.lr=1e-6") == 0  # the first epoch is the best
    run = records()[0]
    if name is None:
        assert not (artifacts(run) / "model").exists()
        assert "mlflow.log-model.history" not in run.data.tags
    else:
        assert weights(run) == weights(run, f"checkpoints/{name}")
        assert weights(run)[0] == (1 if name == "best" else 3)


@pytest.mark.parametrize(("kept", "name"), [pytest.param("both", "best", marks=pytest.mark.slow), ("last", "last")])
def test_a_run_that_is_extended_has_the_model_of_its_weights_then(workplace, records, stop_at, kept, name):
    assert train("optimizer.lr=1e-6", f"trainer.checkpoints={kept}") == 0  # the first epoch is the best
    before = weights(records()[0])
    stop_at(20)
    with pytest.raises(Stopped):
        resume.main(["last", "trainer.epochs=5"])
    assert weights(records()[0]) == before, "as long as the run has not finished again"
    assert resume.main(["last", "trainer.epochs=6"]) == 0
    run = records()[0]
    assert weights(run) == weights(run, f"checkpoints/{name}")
    assert (weights(run) == before) == (name == "best")
    model = mlflow.pyfunc.load_model(str(artifacts(run) / "model"))
    assert model.metadata.run_id == run.info.run_id


@pytest.mark.slow
def test_a_run_that_goes_on_without_its_best_weights_says_so_and_has_the_last(workplace, records, capsys):
    assert train("optimizer.lr=1e-6") == 0
    (artifacts(records()[0]) / "checkpoints/best.npz").write_bytes(b"")
    assert resume.main(["last", "trainer.epochs=4"]) == 0
    assert "unless a better one comes" in capsys.readouterr().out
    run = records()[0]
    assert weights(run) == weights(run, "checkpoints/last")


def test_a_diverged_run_has_the_last_finite_weights_and_one_that_failed_none(workplace, records, stop_at):
    assert train("optimizer=sgd", "optimizer.lr=1e25") == 0
    run = records()[0]
    assert run.data.tags["diverged"] == "true"
    assert weights(run) == weights(run, "checkpoints/last")
    stop_at(3)
    with pytest.raises(Stopped):
        train()
    assert not (artifacts(records()[0]) / "model").exists()


def test_it_is_delivered_later_where_the_store_was_away(workplace, records, monkeypatch, capsys):
    from lenet.tracking import sender

    def away(*_):
        raise sender.StoreAway("refused")

    monkeypatch.setattr(delivery, "LAST_SECONDS", 0.0)
    monkeypatch.setattr(sender, "local_folder", lambda uri: None)  # as it is where the artifacts lie on a server
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sender.Sender, "put", away)
        patch.setattr(sender.Sender, "knock", away)
        assert train() == 0
    assert not (artifacts(records()[0]) / "model").exists()
    assert deliver([]) == 0
    run = records()[0]
    assert run.info.status == "FINISHED"
    assert weights(run) == weights(run, "checkpoints/best")
    assert mlflow.pyfunc.load_model(str(artifacts(run) / "model"))


OWN = """
from lenet.layers import ReLU


class Mine(ReLU):
    pass
"""


def test_layers_of_ones_own_are_found_where_python_finds_them_and_nothing_else_is(workplace, records, monkeypatch):
    (workplace / "ownlayers.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(workplace))
    layers = (
        "[{_target_:ownlayers.Mine},{_target_:lenet.layers.Flatten},{_target_:lenet.layers.Linear,features:classes}]"
    )
    assert main([*SMALL, "trainer.figures=none", f"network.layers={layers}"]) == 0
    folder = str(artifacts(records()[0]) / "model")
    images = np.zeros((2, 1, 16, 16), np.uint8)
    assert len(mlflow.pyfunc.load_model(folder).predict(images)) == 2
    with pytest.raises(UserError, match="not in a module of lenet's"):
        mlflow.pyfunc.load_model(folder, model_config={"allow": []})


def test_the_store_knows_it_as_a_model(workplace, records):
    assert train() == 0
    run = records()[0]
    (told,) = json.loads(run.data.tags["mlflow.log-model.history"])
    assert (told["artifact_path"], told["run_id"]) == ("model", run.info.run_id)
    mlflow.set_tracking_uri(f"sqlite:///{workplace / 'mlflow.db'}")
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", "bars")
    found = mlflow.pyfunc.load_model(f"models:/bars/{version.version}")
    assert len(found.predict(np.zeros((3, 1, 16, 16), np.uint8))) == 3
    assert MlflowClient().get_model_version("bars", version.version).run_id == run.info.run_id
    mlflow.set_tracking_uri(None)
