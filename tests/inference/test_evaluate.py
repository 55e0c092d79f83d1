"""`python -m lenet.evaluate`: the bits that training's own test gave, on any data, added to the run over nothing."""

import json
import logging
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

from lenet import evaluate, reproduce
from lenet.inference import evaluation
from lenet.recorded.stored import read_stored
from lenet.tracking.finding import Finder
from tests.conftest import artifacts, save_digits
from tests.stopping import train


@pytest.fixture(autouse=True)
def undrawn(request, monkeypatch):
    """Leave figures undrawn, which takes most of the time, but in the test that looks at all that is recorded."""
    if "never_written_over" not in request.node.name:
        monkeypatch.setattr("lenet.plots.to_png", lambda figure: b"figure")


@pytest.fixture
def client(beside_run):
    return MlflowClient(f"sqlite:///{beside_run / 'mlflow.db'}")


def told(capsys, *arguments, code=0):
    assert evaluate.main(["last", *arguments, "--format", "json"]) == code
    output, error = capsys.readouterr()
    return json.loads(output), error


CASES = {
    "defaults": [],
    "float64": ["backend.dtype=float64"],
    "one thread": ["backend.threads=1"],
    "report": ["data.validation=report", "loss.smoothing=0.1"],
    "dropout": ["network=lenet5_dropout", "optimizer=adam"],
    "running averages": ["network=lenet5_batchnorm"],
    "diverged": ["optimizer=sgd", "optimizer.lr=1e25"],
}


def scored(record, **changes):
    """Return what comes of scoring a run's last weights, nothing of it recorded."""
    finder = Finder(f"sqlite:///{Path.cwd() / 'mlflow.db'}")
    stored = read_stored(finder, finder.find(record.info.run_id))
    return evaluation.evaluate(stored, [f"backend.{key}={value}" for key, value in changes.items()], (), "last")


QUICK = ("defaults", "running averages")


@pytest.mark.parametrize(
    "case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_the_same_bits_come_out_as_in_the_runs_own_test(case, workplace, records):
    assert train(*CASES[case]) == 0
    own = records()[0]
    for threads in (1, 2):
        found = scored(own, threads=threads).metrics()
        for key in ("loss", "accuracy"):
            assert found[key].hex() == own.data.metrics[f"test/{key}"].hex()


def test_they_are_those_that_are_recorded(beside_run, client, capsys):
    found, _ = told(capsys, "--checkpoint", "last")
    recorded = client.get_run(found["run_id"]).data.metrics
    assert recorded["evaluation/mnist_5k-last/loss"] == recorded["test/loss"] == found["loss"]
    assert recorded["evaluation/mnist_5k-last/accuracy"] == recorded["test/accuracy"] == found["accuracy"]


def test_the_best_checkpoint_is_scored_where_there_is_one(beside_run, capsys):
    assert told(capsys)[0]["checkpoint"] == "best"
    assert told(capsys, "--checkpoint", "last")[0]["epoch"] == 2


def test_everything_is_told(beside_run, capsys):
    assert evaluate.main(["last"]) == 0
    output, error = capsys.readouterr()
    assert max(map(len, output.splitlines())) <= 80
    for word in (
        "the 500 test images",
        "means of classes, 0 where undefined",
        "loss",
        "accuracy",
        "precision",
        "recall",
        "taken for",
        "calibration error",
        "its own data",
    ):
        assert word in output
    assert "evaluation/mnist_5k" in error
    found, error = told(capsys)
    assert "its own data" in error
    confusion = np.array(found["confusion_matrix"])
    assert confusion.sum() == found["images"] == 500
    for number, row in enumerate(found["classes"]):
        assert row["recall"] == confusion[number, number] / confusion[number].sum()
        assert row["precision"] == confusion[number, number] / confusion[:, number].sum()
    assert found["accuracy"] == np.trace(confusion) / 500
    assert sum(each["images"] for each in found["calibration"]) == 500


def test_what_probabilities_leave_out_is_said_of_a_loss_that_knows_no_class(workplace, capsys):
    said = "probabilities add up to less than 1: the rest is for no class at all (loss=map)"
    for loss in ("map", "cross_entropy"):
        assert train(f"loss={loss}") == 0
        capsys.readouterr()
        assert evaluate.main(["last"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert (said in lines) == (loss == "map")
        assert max(map(len, lines)) <= 80


def test_what_is_logged_while_figures_are_drawn_is_no_part_of_the_scores(beside_run, monkeypatch, capsys):
    log = logging.getLogger("lenet.plots.fonts")
    monkeypatch.setattr("lenet.plots.to_png", lambda figure: log.warning("figures have boxes") or b"figure")
    assert "figures have boxes" in told(capsys)[1]


def test_what_is_there_is_never_written_over(beside_run, client, capsys):
    def state():
        run = client.get_run(run_id)
        files = {path: path.read_bytes() for path in artifacts(run).rglob("*") if path.is_file()}
        return run.data.metrics, files, run.info.status, run.info.end_time, run.data.tags

    run_id = told(capsys)[0]["run_id"]
    before = state()
    found, error = told(capsys)
    after = state()
    assert after[2:] == before[2:]
    assert before[0].items() <= after[0].items()
    assert before[1].items() <= after[1].items()
    name = error.partition("evaluation/")[2].partition("/")[0]
    assert after[0][f"evaluation/{name}/accuracy"] == found["accuracy"]
    new = {path.name: after[1][path] for path in after[1].keys() - before[1].keys()}
    assert set(new) == {"scores.json", "confusion_matrix.png", "calibration.png"}
    assert new["calibration.png"].startswith(b"\x89PNG")
    scores = artifacts(client.get_run(run_id)) / f"evaluations/{name}/scores.json"
    assert json.loads(scores.read_text()) == found


def test_a_folder_that_is_there_is_a_taken_name(workplace, records, capsys):
    assert train() == 0
    (artifacts(records()[0]) / "evaluations/digits").mkdir(parents=True)
    (artifacts(records()[0]) / "evaluations/digits/scores.json").write_text("mine")
    capsys.readouterr()
    assert "evaluation/digits-2/" in told(capsys)[1]
    assert (artifacts(records()[0]) / "evaluations/digits/scores.json").read_text() == "mine"


@pytest.mark.slow
def test_a_run_that_was_evaluated_is_reproduced_as_before(workplace, records, capsys):
    assert train() == 0
    assert evaluate.main(["last"]) == 0
    assert reproduce.main(["last"]) == 0
    assert "identical, bit by bit" in capsys.readouterr().out


def others(folder, labels, shape=(28, 28)):
    """Save four images of each of other classes in folders, and return what asks for them."""
    generator = np.random.default_rng(1)
    for label in labels:
        (folder / label).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(generator.integers(0, 256, shape, np.uint8)).save(folder / label / f"{number}.png")
    return ["data=image_folder", f"data.root={folder}"]


def test_other_data_are_scored_by_position_and_that_is_said(beside_run, tmp_path, capsys):
    articles = [f"article {number}" for number in range(10)]
    other = others(tmp_path / "articles", articles)
    assert evaluate.main(["last", *other]) == 0
    output, error = capsys.readouterr()
    assert "other data than its own" in output
    assert "pixels are scaled as for the data that it was trained on" in output
    assert "compared by position" in output
    assert "3 for article 3" in output
    assert "evaluation/articles" in error
    found, _ = told(capsys, *other)
    assert (found["images"], found["classes_compared"]) == (40, "by position")
    assert [row["stands_for"] for row in found["classes"]] == articles
    assert not found["trained_on_these_data"]


def test_the_confusion_matrix_has_the_datas_classes_in_its_rows_and_the_networks_in_its_columns(
    beside_run, tmp_path, monkeypatch, capsys
):
    figures = []
    monkeypatch.setattr("lenet.plots.to_png", lambda figure: figures.append(figure) or b"figure")
    articles = [f"{number}th" for number in range(10)]
    assert evaluate.main(["last", *others(tmp_path / "articles", articles)]) == 0
    axes = figures[0].axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == list("0123456789")
    assert [label.get_text() for label in axes.get_yticklabels()] == articles
    assert axes.get_title("left").endswith("of 40 right\non articles")
    lines = capsys.readouterr().out.splitlines()
    (start,) = [number for number, line in enumerate(lines) if line.startswith("taken for ")]
    assert lines[start].split()[2:] == list("0123456789")
    assert [line.split()[0] for line in lines[start + 2 : start + 12]] == articles


def test_where_the_confusion_matrix_has_no_room_it_is_said_where_it_is(workplace, capsys):
    with np.load("digits.npz") as arrays:
        np.savez("digits.npz", images=arrays["images"], labels=np.arange(120) % 17)
    assert train() == 0
    capsys.readouterr()
    assert evaluate.main(["last"]) == 0
    output = capsys.readouterr().out
    assert "no room for the confusion matrix: see confusion_matrix.png in the artifacts" in output
    assert max(map(len, output.splitlines())) <= 80


def test_fewer_of_the_same_classes_are_scored_by_name(beside_run, tmp_path, capsys):
    found, error = told(capsys, *others(tmp_path / "some", ["7", "3"]))
    assert "compared by name" in error
    assert [row["images"] for row in found["classes"]] == [0, 0, 0, 4, 0, 0, 0, 4, 0, 0]
    assert found["classes"][0]["recall"] is None


def test_the_data_that_it_was_trained_on_are_known_again(beside_run, capsys):
    found, error = told(capsys, "data=mnist_5k")
    assert "the data that it was trained on" in error
    assert "pixels are scaled" not in error
    assert (found["trained_on_these_data"], found["classes_compared"]) == (True, "the same classes")


@pytest.mark.parametrize(
    ("labels", "shape", "said"),
    [
        (["a", "b"], (28, 28), "Accepted: classes that the network knows by name"),
        ([*"987654321", "x"], (28, 28), "Accepted: classes that the network knows by name"),
        ([*"0123456789"], (16, 28), "images of 1×16×28, and the network takes 1×28×28"),
    ],
)
def test_data_that_do_not_fit_the_network_are_refused(beside_run, tmp_path, capsys, labels, shape, said):
    assert evaluate.main(["last", *others(tmp_path / "others", labels, shape)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "one run is needed"),
        (["last", "seed=1"], "`seed` is not for this"),
        (["last", "backnd.threads=1"], "Did you mean `backend.threads`?"),
        (["last", "data=mnits"], "Did you mean `mnist`?"),
        (["last", "data=npz"], "data.images"),
        (["last", "data=idx", "data.root=nowhere"], "nowhere"),
        (["last", "backend.threads=0"], "backend.threads"),
        (["last", "--checkpoint=first"], "--checkpoint"),
    ],
)
def test_what_is_asked_for_wrongly_is_said_and_nothing_added(beside_run, client, capsys, arguments, said):
    def metrics():
        (run,) = client.search_runs([client.get_experiment_by_name("lenet").experiment_id])
        return run.data.metrics

    before = metrics()
    assert evaluate.main(arguments) == 2
    assert said in capsys.readouterr().err
    assert metrics() == before


def test_own_data_that_have_changed_are_refused_and_moved_ones_found(workplace, records, capsys):
    assert train() == 0
    shutil.move("digits.npz", "moved.npz")
    assert evaluate.main(["last"]) == 2
    assert evaluate.main(["last", "data.images=moved.npz"]) == 0
    save_digits(workplace / "digits.npz", 150)
    assert evaluate.main(["last"]) == 2
    assert "digest" in capsys.readouterr().err
    assert evaluate.main(["last", "data=npz", "data.images=digits.npz"]) == 0
    assert "other data than its own" in capsys.readouterr().out


def test_a_checkpoint_of_another_run_is_refused(workplace, records, capsys):
    assert train() == 0
    assert train("optimizer.lr=0.02") == 0
    last, first = records()
    shutil.copy(artifacts(first) / "checkpoints/best.npz", artifacts(last) / "checkpoints/best.npz")
    assert evaluate.main(["last"]) == 2
    assert "`optimizer.lr` 0.01" in capsys.readouterr().err


def test_artifacts_are_added_to_no_place_that_a_store_makes_up(workplace, records, capsys):
    assert train() == 0
    place = workplace / "mine"
    shutil.copytree(artifacts(records()[0]), place)
    with sqlite3.connect(workplace / "mlflow.db") as connection:
        connection.execute("UPDATE runs SET artifact_uri = ?", (str(place),))
    connection.close()
    assert evaluate.main(["last"]) == 2
    assert "no folder of this run" in capsys.readouterr().err
    assert not (place / "evaluations").exists()
