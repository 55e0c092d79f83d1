"""The library without the command line."""

import io
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import lenet
from lenet import Result, compose, load, train
from lenet.errors import Failure, UserError
from lenet.evaluate import main as evaluate
from lenet.library import Configuration, predict
from lenet.running.progress import NotebookBar, ProgressBar, display_here
from lenet.tracking.tags import OWN
from lenet.training.trainer import Progress
from tests.conftest import DRAWN, SMALL, artifacts


@pytest.fixture
def result(workplace):
    return train(*SMALL, name="mine", tags={"who": "me", "mlflow.note.content": "a try"})


def test_a_result_tells_what_was_recorded(result, records, workplace):
    (run,) = records()
    assert (result.id, result.experiment_id) == (run.info.run_id, run.info.experiment_id)
    assert (result.name, result.status, result.diverged) == ("mine", "FINISHED", False)
    assert run.data.tags["who"] == "me"
    assert result.metrics == run.data.metrics
    assert set(result.history) == {f"{p}/{m}" for p in ("train", "val") for m in ("loss", "accuracy")} | {
        "lr",
        "samples_per_second",
    }
    assert all(len(values) == 3 for values in result.history.values())
    assert result.history["val/loss"][-1] == run.data.metrics["val/loss"]
    assert result.config["trainer"]["epochs"] == 3
    assert result.paths["checkpoints/best.npz"] == artifacts(run) / "checkpoints/best.npz"
    assert all(path.is_file() for path in result.paths.values())
    assert result.read("log.txt").decode().count("epoch") >= 3
    with pytest.raises(UserError, match=r"has no artifact nothing\.txt\. Accepted: checkpoints/best\.npz, "):
        result.read("nothing.txt")
    assert repr(result).startswith(f"<Result 'mine' {run.info.run_id}: FINISHED, val/accuracy ")


def test_a_password_in_the_store_s_address_is_used_and_not_the_mask(workplace, monkeypatch):
    address = "postgresql://me:secret@nowhere/db"
    monkeypatch.setattr("lenet.running.experiment.execute", lambda plan, *rest, **more: ("some id", {}))
    assert train(*SMALL, f"tracking.uri={address}").uri == address


def test_a_checkpoint_s_file_is_all_that_a_network_needs(result, tmp_path):
    moved = tmp_path / "elsewhere.npz"
    moved.write_bytes(result.read("checkpoints/best.npz"))
    images = np.zeros((2, *result.load().input_shape), np.uint8)
    assert predict(moved, images) == predict(result, images)
    assert (load(moved).logits(images) == load(result).logits(images)).all()
    with pytest.raises(UserError, match=r"elsewhere\.npz is a checkpoint's file; `checkpoint` and `uri` are for a run"):
        load(moved, checkpoint="last")
    with pytest.raises(UserError, match=r"nothing\.npz: no such file"):
        load(tmp_path / "nothing.npz")


def test_one_epoch_s_history_is_not_mixed_with_what_was_measured_once(workplace):
    result = train(*SMALL, "trainer.epochs=1")
    assert evaluate(["last"]) == 0
    history = Result(result.id).history
    assert set(history) == {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr", "samples_per_second"}


def test_a_notebook_shows_a_result_and_its_figures(workplace):
    result = train(*DRAWN)
    assert set(result.figures) == {"curves", "confusion_matrix", "filters", "mistakes"}
    curves = result.figures["curves"]
    assert Image.open(io.BytesIO(curves._repr_png_())).width > 300
    assert repr(curves) == f"<Figure curves, {round(len(curves.png) / 1000)} kB>"
    assert len(repr(result.figures)) < 300
    shown = result._repr_html_()
    assert "<img src=" in shown
    assert "test/accuracy" in shown


def test_a_trained_network_is_loaded_and_predicts(result):
    with np.load("digits.npz") as file:
        images, labels = file["images"][:, None], file["labels"]
    by_result, by_name, last = load(result), load("mine"), load(checkpoint="last")
    np.testing.assert_array_equal(by_result.logits(images), by_name.logits(images))
    assert last.description.epoch == 3
    found = predict("last", images)
    assert np.mean([int(each.label) for each in found] == labels) > 0.9
    picture = Image.fromarray(images[0, 0])
    picture.save("one.png")
    file = io.BytesIO()
    picture.save(file, "PNG")
    for given in ("one.png", picture, file.getvalue(), ["one.png"]):
        assert predict(result, given, raw=True) == found[:1]
    assert predict(by_result, ["one.png", picture], raw=True) == found[:1] * 2
    assert lenet.predict(by_name, images[:2]) == found[:2]


def test_paths_mean_what_they_mean_to_the_command(result, workplace):
    with np.load("digits.npz") as file:
        images = file["images"][:3]
    for name, image in zip(("b.png", "c.png", "deep/a.png"), images, strict=True):
        (path := workplace / "some" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    found = predict(result, images[:, None])
    assert predict(result, "some", raw=True) == predict(result, [workplace / "some"], raw=True) == found
    assert predict(result, "some/*.png", raw=True) == found[:2]
    assert predict(result, ["some/c.png", "some/b.png", "some/c.png"], raw=True) == [found[1], found[0], found[1]]
    assert predict(result, ["some/c.png", "some"], raw=True) == [found[1], found[0], found[2]]
    (workplace / "none").mkdir()
    with pytest.raises(UserError, match=r"^none: found no image in this folder"):
        predict(result, "none")


def test_an_image_of_pillows_is_read_as_its_file_is(result):
    with np.load("digits.npz") as file:
        levels = file["images"][0]
    digit, deep = Image.fromarray(levels), Image.fromarray(levels.astype(np.uint16) * 257)
    network = load(result)
    exif = Image.Exif()
    exif[0x0112] = 6
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"):
        picture = deep.copy() if mode == "I;16" else digit.convert(mode)
        picture.save("it.tiff", exif=exif)
        picture.info["exif"] = exif.tobytes()
        assert predict(network, picture) == predict(network, "it.tiff"), mode
        assert picture.getexif()[0x0112] == 6, "the caller's own stays as it is"
    for mode, plain in (("HSV", "RGB"), ("RGBX", "RGB"), ("RGBa", "RGBA")):  # which no file holds
        assert predict(network, digit.convert(plain).convert(mode)) == predict(network, digit), mode
    film = digit.convert("YCbCr")  # of which Pillow 10 writes TIFFs that it cannot read
    assert predict(network, film) == predict(network, film.convert("RGB"))


def test_what_cannot_be_labelled_is_raised(result, workplace):
    (workplace / "no.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"no\.png"):
        predict(result, ["no.png"])
    with pytest.raises(UserError, match=r"images: found float; accepted: an array"):
        predict(result, [1.5])
    with pytest.raises(UserError, match=r"^image: found 0 x 0 pixels; accepted: 1 to 32768 a side"):
        predict(result, Image.new("L", (0, 0)))
    for run in (None, 5):
        with pytest.raises(UserError, match=r"^load: found (NoneType|int); accepted: a run's id or name, `last`"):
            predict(run, "no.png")
    with pytest.raises(UserError, match="there is no run `other`"):
        load("other")


def test_a_configuration_is_composed_and_checked():
    configuration = compose("optimizer.lr=0.02", "schedule=cosine", "trainer.epochs=4")
    assert (configuration["optimizer.lr"], configuration["trainer"]["epochs"]) == (0.02, 4)
    assert configuration["network.layers.0.channels"] == 6
    assert "lr: 0.02" in repr(configuration)
    with pytest.raises(UserError, match=r"optimizer\.lr"):
        compose("optimizer.lr=-1")
    with pytest.raises(UserError, match=r"Did you mean `trainer\.epochs`"):
        compose("trainer.epoch=1")


@pytest.mark.parametrize("several", ["optimizer.lr=0.1,0.2", "optimizer=sgd,adam", "seed=range(3)"])
def test_several_values_are_refused_with_what_python_can_do_about_it(several):
    key = several.partition("=")[0]
    with pytest.raises(UserError, match=rf"^`{key}` is given several values; accepted here: one\. For several, do"):
        compose(several)


def test_a_layer_of_ones_own_is_refused_with_what_python_can_do_about_it(workplace, monkeypatch):
    (workplace / "mypkg.py").write_text("import lenet.layers\n\nclass Mine(lenet.layers.Flatten):\n    pass\n")
    monkeypatch.syspath_prepend(workplace)
    result = train(*SMALL, "trainer.epochs=1", "network.layers.6._target_=mypkg.Mine")
    with pytest.raises(UserError, match=r'allow=\["MODULE"\]. in Python'):
        load(result)
    assert load(result, allow=["mypkg"]).classes


def test_a_configuration_of_ones_own_folder(tmp_path):
    (tmp_path / "conf/optimizer").mkdir(parents=True)
    (tmp_path / "conf/optimizer/slow.yaml").write_text("_target_: lenet.optimizers.SGD\nlr: 0.0001\n")
    assert compose("optimizer=slow", config_dir=tmp_path)["optimizer.lr"] == 0.0001


@pytest.mark.parametrize("overrides", [(["trainer.epochs=1"],), ({"seed": 1},), (5, "seed=1"), (compose(),)])
def test_compose_takes_overrides_as_texts(overrides):
    with pytest.raises(UserError, match=r"^compose: found \(\w+(, str)?\); accepted: any number of overrides as texts"):
        compose(*overrides)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": 5}, "train: `name` is 5; accepted: a text."),
        ({"tags": ["a"]}, "train: `tags` is ['a']; accepted: a mapping of names to texts."),
        ({"tags": {5: "a"}}, "train: `tags` is {5: 'a'}; accepted: a mapping of names to texts."),
    ],
)
def test_train_takes_a_name_and_tags(given, message):
    with pytest.raises(UserError) as error:
        train("seed=1", **given)
    assert str(error.value) == message


@pytest.mark.parametrize("key", ["diverged", "lenet.error", "mlflow.parentRunId", "best_run", "lr_range_low"])
def test_tags_that_are_lenet_s_own_are_refused(key):
    with pytest.raises(UserError, match=rf"^train: the tag `{key}` is lenet's own; accepted: names that"):
        train("seed=1", tags={key: "true"})


def test_what_a_run_is_tagged_with_besides_a_user_s_tags_is_lenet_s_own(result, records):
    (run,) = records()
    assert [key for key in run.data.tags if not key.startswith(OWN)] == ["who"]


def test_a_configuration_stays_what_its_overrides_say(workplace):
    configuration = compose(*SMALL, "optimizer.lr=0.02")
    configuration.values["optimizer"]["lr"] = 0.001
    configuration["optimizer"]["lr"] = 0.001
    assert configuration["optimizer.lr"] == configuration.values["optimizer"]["lr"] == 0.02
    assert train(configuration).config["optimizer"]["lr"] == 0.02


@pytest.mark.parametrize("what", [(1,), (compose(), "seed=1"), (compose(), compose())])
def test_train_takes_one_configuration_or_overrides(what):
    with pytest.raises(UserError, match=r"train: found \(.*\); accepted: one configuration, or any number"):
        train(*what)


def test_a_run_that_fails_is_raised_and_recorded(workplace, records, monkeypatch):
    def broken(self, *arguments):
        raise RuntimeError("on purpose")

    monkeypatch.setattr("lenet.optimizers.Momentum.step", broken)
    with pytest.raises(Failure, match="on purpose"):
        train(*SMALL)
    assert [run.info.status for run in records()] == ["FAILED"]


def test_a_diverged_run_says_so(workplace):
    result = train(*SMALL, "optimizer=sgd", "optimizer.lr=1e25")
    assert (result.diverged, result.status) == (True, "FINISHED")
    assert f" {result.id}: diverged, " in repr(result)
    assert f"({result.id}): diverged</b>" in result._repr_html_()


def test_the_package_offers_these_and_imports_nothing_before():
    code = "import sys, lenet; assert not {'numpy', 'mlflow'} & set(sys.modules); from lenet import compose; compose()"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert isinstance(compose(), Configuration)
    assert lenet.Result is Result
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        lenet.nothing  # noqa: B018


def test_a_notebook_gets_a_bar_of_its_own(monkeypatch, capsys):
    assert display_here() is ProgressBar
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert display_here() is NotebookBar
    bar = NotebookBar("mine", 1, 4)
    bar.step(Progress(np.array([2.0, 1.0]), step=2))
    bar.close()
    assert "mine" in "".join(capsys.readouterr())


@pytest.mark.slow
def test_the_function_is_there_after_the_command_s_module_was_imported_too(result):
    call = "predict('last', numpy.zeros((0, 1, 16, 16), 'u1'))"
    code = f"import numpy, lenet.predict; from lenet import predict; print({call})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_a_pipe_is_not_waited_for(result, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=r"pipe: found a pipe or device, no regular file"):
        predict(result, tmp_path / "pipe")
