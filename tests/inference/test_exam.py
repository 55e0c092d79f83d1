"""Which images a network is scored on: a test set, or all that it was not trained on; as they are, or prepared."""

import re

import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

from lenet import evaluate, load
from lenet.data import Mnist5k, Npz
from lenet.data import load as load_data
from lenet.data.drawings import prepare
from tests.conftest import artifacts, save_digits
from tests.inference.test_evaluate import told
from tests.stopping import train


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Leave figures undrawn, which takes most of the time."""
    monkeypatch.setattr("lenet.plots.to_png", lambda figure: b"figure")


@pytest.fixture(scope="module")
def digits():
    """Return MNIST's digits as the run was given them."""
    return Mnist5k().load(0)


def save(path, images, labels, **more):
    np.savez(path, images=images[:, 0], labels=labels, **more)
    return ["data=npz", f"data.images={path}"]


def draw(folder, images, labels, size=(56, 56)):
    """Save images dark on light, enlarged, as files in class folders."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - image[0]).resize(size).save(folder / str(label) / f"{number}.png")
    return ["data=image_folder", f"data.root={folder}"]


def test_of_other_data_without_a_test_set_all_images_are_scored(beside_run, digits, tmp_path, capsys):
    other = save(tmp_path / "mine.npz", digits.test_images[:60], digits.test_labels[:60])
    found, error = told(capsys, *other)
    assert (found["images"], found["scored"], found["left_out_as_trained_on"]) == (60, "all", 0)
    assert "on all 60 images of mine, other data than its own" in error
    assert "warning" not in error


def test_of_other_data_with_a_test_set_that_is_scored(beside_run, digits, tmp_path, capsys):
    images, labels = digits.test_images, digits.test_labels
    held_out = {"test_images": images[60:75, 0], "test_labels": labels[60:75]}
    found, error = told(capsys, *save(tmp_path / "mine.npz", images[:60], labels[:60], **held_out))
    assert (found["images"], found["scored"]) == (15, "test set")
    assert "on the 15 test images of mine, other data than its own" in error


def test_the_runs_own_data_named_again_stay_their_test_set_to_the_last_bit(beside_run, digits, tmp_path, capsys):
    own, _ = told(capsys)
    again, error = told(capsys, "data=mnist_5k")
    keys = ("images", "loss", "accuracy", "data_digest", "scored", "left_out_as_trained_on", "confusion_matrix")
    assert [again[key] for key in keys] == [own[key] for key in keys]
    assert "on the 500 test images of mnist_5k, the data that it was trained on" in error


def test_images_that_the_network_was_trained_on_are_left_out_and_that_is_said(beside_run, digits, tmp_path, capsys):
    images = np.concatenate([digits.test_images[:40], digits.train_images[:25]])
    labels = np.concatenate([digits.test_labels[:40], digits.train_labels[:25]])
    found, error = told(capsys, *save(tmp_path / "mixed.npz", images, labels))
    alone, _ = told(capsys, *save(tmp_path / "alone.npz", images[:40], labels[:40]))
    assert (found["images"], found["left_out_as_trained_on"]) == (40, 25)
    assert (found["loss"], found["confusion_matrix"]) == (alone["loss"], alone["confusion_matrix"])
    assert "on 40 of the 65 images of mixed" in error
    assert "left out: 25 that the run was trained on or chose its best epoch by" in error


def test_another_split_of_the_same_images_scores_no_image_of_the_training(beside_run, capsys):
    found, _ = told(capsys, "data=mnist_5k", "data.test=0.3")
    assert (found["images"], found["left_out_as_trained_on"]) == (500, 4500)
    assert found["accuracy"] == told(capsys)[0]["accuracy"]


def test_data_of_training_images_alone_are_refused(beside_run, digits, tmp_path, capsys):
    other = save(tmp_path / "trained.npz", digits.train_images[:20], digits.train_labels[:20])
    assert evaluate.main(["last", *other]) == 2
    assert (
        "the run was trained on each of the 20 images of `trained`, or chose its best epoch by them"
        in capsys.readouterr().err
    )


def test_where_the_run_chose_its_best_epoch_by_its_test_set_that_is_said_and_none_of_it_scored(workplace, capsys):
    assert train("data.validation=report") == 0
    said = "its best epoch was chosen by random ones of these (data.validation=report)"
    capsys.readouterr()
    for other in ([], ["data=npz", "data.images=digits.npz"]):
        found, error = told(capsys, *other)
        assert (found["scored"], found["best_epoch_chosen_by_these"]) == ("test set", True)
        assert said in error
    own = load_data(Npz("digits.npz"), 0)
    fresh = np.random.default_rng(1).integers(0, 256, (5, 1, 16, 16), np.uint8)
    images = np.concatenate([own.test_images, own.train_images[:4], fresh])
    found, error = told(capsys, *save(workplace / "mixed.npz", images, np.arange(len(images)) % 3))
    assert (found["images"], found["left_out_as_trained_on"]) == (5, len(own.test_images) + 4)
    assert not found["best_epoch_chosen_by_these"]
    assert said not in error
    assert evaluate.main(["last", *save(workplace / "test.npz", own.test_images, own.test_labels)]) == 2
    assert (
        f"each of the {len(own.test_images)} images of `test`, or chose its best epoch by them"
        in capsys.readouterr().err
    )


def test_where_images_were_held_out_to_choose_by_nothing_is_said_of_the_test_set(beside_run, capsys):
    found, error = told(capsys)
    assert not found["best_epoch_chosen_by_these"]
    assert "its best epoch" not in error


def test_where_the_runs_own_data_are_gone_that_is_said(workplace, capsys):
    assert train() == 0
    save_digits(workplace / "other.npz", 30)
    other = ["data=npz", "data.images=other.npz"]
    capsys.readouterr()
    found, _ = told(capsys, *other)  # the first thirty of the run's own
    assert 0 < found["left_out_as_trained_on"] == 30 - found["images"]
    (workplace / "digits.npz").unlink()
    found, error = told(capsys, *other)
    assert (found["images"], found["left_out_as_trained_on"]) == (30, None)
    assert "not known: its own data are not there" in error


def test_an_image_of_each_class_and_a_single_class_are_enough(beside_run, digits, tmp_path, capsys):
    firsts = [int(np.flatnonzero(digits.test_labels == label)[0]) for label in range(10)]
    found, _ = told(capsys, *save(tmp_path / "ten.npz", digits.test_images[firsts], digits.test_labels[firsts]))
    assert found["images"] == 10
    seven = digits.test_images[firsts[7:8]], digits.test_labels[firsts[7:8]]
    found, error = told(capsys, *save(tmp_path / "seven.npz", *seven))
    assert found["classes"][7]["images"] == 1
    assert "on the only image of seven" in error


def test_images_on_the_other_background_are_warned_of_in_a_line(beside_run, digits, tmp_path, capsys):
    images, labels = digits.test_images[:30], digits.test_labels[:30]
    said = "warning: their background is light, the training images' dark: "
    found, error = told(capsys, *save(tmp_path / "inverted.npz", 255 - images, labels))
    assert f"{said}invert them\n" in error
    assert found["unlike_training_images"] == "inverted"
    found, error = told(capsys, *draw(tmp_path / "drawn", images, labels, (28, 28)))
    assert f"{said}try --prepare\n" in error


def test_image_files_not_framed_as_mnist_are_warned_of(beside_run, digits, tmp_path, capsys):
    images = np.roll(digits.test_images[:30], 4, axis=3)
    found, error = told(capsys, *draw(tmp_path / "moved", 255 - images, digits.test_labels[:30], (28, 28)))
    assert "warning: not framed as MNIST's digits" in error
    assert found["unlike_training_images"] == "not like MNIST"


def test_prepared_files_are_taken_for_what_predict_takes_them_for(beside_run, digits, tmp_path, capsys):
    images, labels = digits.test_images[:40], digits.test_labels[:40]
    found, error = told(capsys, *draw(tmp_path / "drawn", images, labels), "--prepare")
    run = MlflowClient(f"sqlite:///{beside_run / 'mlflow.db'}").get_run(found["run_id"])
    trained = load(artifacts(run) / "checkpoints/best.npz")
    files = sorted((tmp_path / "drawn").rglob("*.png"))
    as_it_sees = [prepare(path, path.name, "mnist", trained.framing, trained.input_shape) for path in files]
    confusion = np.zeros((10, 10), int)
    for path, prediction in zip(files, trained.predict(np.stack(as_it_sees)), strict=True):
        confusion[int(path.parent.name), int(prediction.label)] += 1
    assert found["confusion_matrix"] == confusion.tolist()
    assert found["prepared"] == "mnist"
    assert "images are made as MNIST was" in error
    assert "warning" not in error
    assert run.data.metrics["evaluation/drawn-prepared/accuracy"] == found["accuracy"] > 0.7


def test_only_image_files_can_be_prepared(beside_run, digits, tmp_path, capsys):
    other = save(tmp_path / "mine.npz", digits.test_images[:9], digits.test_labels[:9])
    assert evaluate.main(["last", *other, "--prepare"]) == 2
    assert "--prepare is for image files, not for Npz. Accepted with it: data=image_folder." in capsys.readouterr().err


def test_a_network_of_other_images_has_files_prepared_as_predict_resizes_them(workplace, capsys):
    assert train() == 0
    with np.load("digits.npz") as arrays:
        drawn = draw(workplace / "drawn", arrays["images"][:9, None], arrays["labels"][:9], (32, 32))
    capsys.readouterr()
    found, _ = told(capsys, *drawn, "--prepare")
    assert (found["images"], found["prepared"]) == (9, "resized")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prepare"], "--prepare is for other data than the run's own"),
        (["--config-dir", "."], "--config-dir is for other data than the run's own"),
        (["--prepare", "data=mnist_5k"], "Accepted with it: data=image_folder"),
        (["--config-dir", "nowhere", "data=mnist_5k"], "--config-dir is 'nowhere', which is not a folder"),
    ],
)
def test_options_that_do_not_go_with_the_data_are_refused(beside_run, capsys, arguments, said):
    assert evaluate.main(["last", *arguments]) == 2
    assert said in capsys.readouterr().err


OWN = """\
import numpy as np
from lenet.data import Dataset, DataSource


class Noise(DataSource):
    def load(self, seed):
        images = np.random.default_rng(1).integers(0, 256, (60, 1, 28, 28), np.uint8)
        labels = np.arange(60) % 10
        return Dataset("noise", images[20:], labels[20:], images[:20], labels[:20], tuple("0123456789"), "here")
"""


@pytest.mark.parametrize("place", ["conf/data", "data"])
def test_a_data_set_of_the_users_own_is_scored(beside_run, tmp_path, monkeypatch, capsys, place):
    module = f"own_{place.replace('/', '_')}"
    (tmp_path / f"{module}.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "noise.yaml").write_text(f"_target_: {module}.Noise\n")
    found, error = told(capsys, "--config-dir", str(tmp_path), "data=noise")
    assert (found["images"], found["data"]) == (20, "noise")
    assert "on the 20 test images of noise, other data than its own" in error


def test_what_is_said_of_the_images_fits_a_terminal(beside_run, digits, tmp_path, capsys):
    images = np.concatenate([digits.test_images[:40], digits.train_images[:2000]])
    labels = np.concatenate([digits.test_labels[:40], digits.train_labels[:2000]])
    assert evaluate.main(["last", *save(tmp_path / f"{'long_' * 12}.npz", images, labels)]) == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    assert re.search(r"on 40 of the 2,040 images of long_\S+,\s+other\s+data\s+than\s+its\s+own", output)
