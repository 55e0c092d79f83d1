"""`python -m lenet.predict`: every image that can be read is labelled, and what cannot be is said."""

import csv
import io
import json
import os
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from lenet.common.tables import display_width
from lenet.data import Mnist5k
from lenet.predict import main as predict
from lenet.run import main as run
from tests.conftest import SMALL

NAMES = ["one.png", "two.jpg", "with space.gif", "with\nline, and comma.bmp", "deep/three.TIFF", "a[1].png"]


@pytest.fixture(scope="module")
def digits():
    data = Mnist5k().load(0)
    return data.test_images, data.test_labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory, digits):
    """Return a folder of digits under names of all kinds, with what is no image among them."""
    place = tmp_path_factory.mktemp("images")
    (place / "deep").mkdir()
    for name, digit in zip(NAMES, digits[0], strict=False):
        image = Image.fromarray(255 - digit[0]).resize((150, 150), Image.Resampling.BICUBIC)
        image.save(place / name, quality=90) if name.endswith("jpg") else image.save(place / name)
    (place / ".hidden.png").write_bytes(b"")
    (place / "notes.txt").write_text("no image")
    return place


def listed(capsys, *arguments, code=0):
    assert predict(["last", *map(str, arguments), "--format", "csv"]) == code
    output, error = capsys.readouterr()
    return list(csv.DictReader(io.StringIO(output))), error


def rows(capsys, *arguments, code=0):
    found, error = listed(capsys, *arguments, code=code)
    return {os.path.basename(row["file"]): row for row in found}, error


def test_what_folders_and_patterns_hold_is_labelled_once(beside_run, folder, digits, capsys):
    found, error = listed(capsys, folder / "one.png", folder, folder / "*.p?g", folder / "deep")
    names = ["one.png", *map(os.path.basename, sorted(NAMES[1:]))]
    assert [os.path.basename(row["file"]) for row in found] == names
    found = dict(zip(names, found, strict=True))
    expected = {os.path.basename(name): str(label) for name, label in zip(NAMES, digits[1], strict=False)}
    right = sum(row["label"] == expected[name] for name, row in found.items())
    assert right >= len(NAMES) - 1
    assert all(row["label"] != row["runner_up"] and 0 < float(row["probability"]) <= 1 for row in found.values())
    assert "made as MNIST was" in error
    assert set(rows(capsys, folder / "*.p?g")[0]) == {"one.png", "a[1].png"}
    assert set(rows(capsys, folder / "**" / "*.TIFF")[0]) == {"three.TIFF"}


def test_a_file_has_a_row_for_each_time_it_is_named(beside_run, folder, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{beside_run / 'mlflow.db'}")
    monkeypatch.chdir(folder)
    given = ["one.png", "one.png", "./one.png", str(folder / "one.png"), "nowhere.png", "nowhere.png"]
    found, error = listed(capsys, *given, code=1)
    assert [row["file"] for row in found] == given[:4]
    assert error.count("lenet: nowhere.png: found no such file") == 2
    found, _ = listed(capsys, "deep", "deep/three.TIFF")
    assert [row["file"] for row in found] == ["deep/three.TIFF"] * 2


@pytest.mark.parametrize(
    "pattern", ["**", "**/*.png", "loop/**", "./loop/**/*.png", "*/**/*.png", "**/**/*", "loop/d/up/**"]
)
def test_a_pattern_does_not_follow_links_round(beside_run, folder, tmp_path, monkeypatch, capsys, pattern):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{beside_run / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop/d").mkdir(parents=True)
    for name in ("one.png", "d/two.png"):
        (tmp_path / "loop" / name).write_bytes((folder / "one.png").read_bytes())
    for link in ("up", "again"):
        (tmp_path / "loop/d" / link).symlink_to("..")
    found, _ = listed(capsys, pattern, "loop/d/up")
    assert sorted(os.path.basename(row["file"]) for row in found) == ["one.png", "two.png"]


def test_a_pattern_for_any_depth_matches_the_depth_of_none(beside_run, folder, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{beside_run / 'mlflow.db'}")
    monkeypatch.chdir(folder)
    assert [row["file"] for row in listed(capsys, "**/*.[pT]*")[0]] == ["a[1].png", "deep/three.TIFF", "one.png"]
    assert [row["file"] for row in listed(capsys, f"{folder}/**/*.TIFF")[0]] == [str(folder / "deep/three.TIFF")]


def test_a_pipe_is_read_and_what_is_no_file_is_called_what_it_is(beside_run, folder, tmp_path, capsys):
    os.mkfifo(pipe := tmp_path / "pipe")
    writer = Thread(target=pipe.write_bytes, args=((folder / "one.png").read_bytes(),))
    writer.start()
    found, error = rows(capsys, pipe, folder / "one.png", "/dev/null", code=1)
    writer.join()
    assert {**found["pipe"], "file": ""} == {**found["one.png"], "file": ""}
    assert "lenet: /dev/null: found a pipe or device, no regular file; accepted: an image" in error
    pipe.rename(tmp_path / "pipe.png")  # in a folder, where it would be waited for
    assert "pipe.png: found a pipe or device" in rows(capsys, tmp_path, code=1)[1]


@pytest.mark.parametrize("form", ["gif", "tiff", "png"])
def test_of_several_frames_it_is_said_that_the_first_counts(beside_run, folder, digits, tmp_path, capsys, form):
    pages = [Image.fromarray(digit[0]) for digit in digits[0][:3]]
    pages[0].save(tmp_path / f"several.{form}", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "alone.png")
    several = tmp_path / f"several.{form}"
    found, error = rows(capsys, several, several, tmp_path / "alone.png", folder)
    assert {**found[several.name], "file": ""} == {**found["alone.png"], "file": ""}
    assert error.splitlines()[2:] == [f"{several}: the first of 3 frames was labelled"]


def test_of_a_run_that_diverged_it_is_said(workplace, capsys):
    assert run([*SMALL, "optimizer=sgd", "optimizer.lr=1e25", "trainer.figures=none"]) == 0
    Image.linear_gradient("L").save("it.png")
    capsys.readouterr()
    assert predict(["last", "it.png"]) == 0
    assert "This run diverged" in capsys.readouterr().err


def test_of_probabilities_that_leave_something_out_it_is_said(workplace, capsys):
    assert run([*SMALL, "loss=map", "trainer.figures=none"]) == 0
    Image.linear_gradient("L").save("it.png")
    capsys.readouterr()
    assert predict(["last", "it.png"]) == 0
    assert "Note: probabilities add up to less than 1" in capsys.readouterr().err


def test_a_word_with_the_look_of_a_key_is_an_image_only_if_there_is_one(beside_run, folder, tmp_path, capsys):
    (tmp_path / "a.b=1.png").write_bytes((folder / "one.png").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{beside_run / 'mlflow.db'}")
        patch.chdir(tmp_path)
        assert set(rows(capsys, "a.b=1.png", "a.b=*.png")[0]) == {"a.b=1.png"}
        assert predict(["last", "a.b=1.png", "a.c=1.png"]) == 2
        assert "unknown key `a.c`. Accepted: tracking.uri" in capsys.readouterr().err


def test_what_is_told_fits_a_terminal(beside_run, folder, capsys):
    for options in ((), ("--raw",)):
        predict(["last", str(folder / "one.png"), *options])
        assert max(map(len, capsys.readouterr().err.splitlines()[:2])) <= 80


def test_what_cannot_be_read_is_said_and_the_rest_is_done(beside_run, folder, tmp_path, capsys):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes((folder / "one.png").read_bytes()[:200])
    Image.new("L", (30, 30), 200).save(tmp_path / "blank.png")
    (tmp_path / "none").mkdir()
    names = [tmp_path / name for name in ("empty.png", "cut.png", "blank.png", "none", "nowhere.png", "*.nothing")]
    found, error = rows(capsys, *names[:3], folder / "one.png", *names[3:], folder / "notes.txt", code=1)
    assert list(found) == ["one.png"]
    faults = error.splitlines()[2:]
    assert len(faults) == 7
    for name, fault in zip([*names, folder / "notes.txt"], faults, strict=True):
        assert fault.startswith(f"lenet: {name}: ")


def test_nothing_but_what_cannot_be_read_leaves_an_empty_table(beside_run, capsys):
    assert rows(capsys, "nowhere.png", code=1)[0] == {}
    assert predict(["last", "nowhere.png", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == []


def test_an_image_on_standard_input_is_labelled(beside_run, folder, capsys, monkeypatch):
    class Input:
        buffer = io.BytesIO((folder / "one.png").read_bytes())

    monkeypatch.setattr("sys.stdin", Input)
    found, _ = rows(capsys, "-", "-", folder / "one.png")
    assert list(found) == ["-", "one.png"]
    assert {**found["-"], "file": ""} == {**found["one.png"], "file": ""}
    found, error = rows(capsys, "-", code=1)
    assert found == {}
    assert "lenet: -: cannot be read as an image" in error


def test_formats_tell_the_same(beside_run, folder, capsys):
    found, _ = rows(capsys, folder)
    assert predict(["last", str(folder), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [{key: str(value) for key, value in row.items()} for row in told] == list(found.values())
    assert list(told[0]) == ["file", "label", "probability", "runner_up"]
    assert predict(["last", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(NAMES)
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["file", "label", "probability", "runner_up"]


def test_a_name_of_wide_characters_leaves_a_table_as_wide_as_a_terminal(beside_run, folder, tmp_path, capsys):
    for name in ("数" * 60, "数字", "short"):
        (tmp_path / f"{name}.png").write_bytes((folder / "one.png").read_bytes())
    assert predict(["last", str(tmp_path)]) == 0
    assert display_width(capsys.readouterr().out) <= 80


def test_names_that_no_terminal_bears_are_written_out(beside_run, folder, tmp_path, capsys):
    name = os.fsdecode(b"odd \xff\x1b[31m\x7f.png")
    (tmp_path / name).write_bytes((folder / "one.png").read_bytes())
    for form in ("table", "csv", "json"):
        assert predict(["last", str(tmp_path), "--format", form]) == 0
        output = capsys.readouterr().out
        assert output.replace("\n", "").isprintable()
        assert max(map(len, output.splitlines())) <= 80 or form != "table"
    assert json.loads(output)[0]["file"] == str(tmp_path / name)


def test_raw_images_are_taken_as_they_are(beside_run, folder, digits, tmp_path, capsys):
    for number, digit in enumerate(digits[0][:20]):
        Image.fromarray(digit[0]).save(tmp_path / f"{number:02}.png")
    raw, error = rows(capsys, tmp_path, "--raw")
    assert "as they are" in error
    assert raw == rows(capsys, tmp_path)[0], "they are made as MNIST was already"
    _, error = rows(capsys, folder / "one.png", "--raw", code=1)
    assert "found 150 x 150 pixels; accepted with --raw: 28 x 28" in error


def test_the_weights_of_the_best_epoch_count_unless_the_last_are_asked_for(beside_run, folder, capsys):
    for words, said in (((), "best checkpoint"), (("--checkpoint", "last"), "last checkpoint, epoch 2")):
        assert said in rows(capsys, folder, *words)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "at least one image"),
        (["last"], "at least one image"),
        (["nowhere", "a.png"], "there is no run `nowhere`"),
        (["last", "a.png", "--format", "xml"], "--format"),
        (["last", "a.png", "--checkpoint", "first"], "--checkpoint"),
        (["last", "a.png", "--rw"], "Did you mean `--raw`"),
        (["last", "a.png", "tracking.url=sqlite:///a.db"], "unknown key `tracking.url`. Did you mean `tracking.uri`?"),
        (["last", "a.png", "tracking.uri=sqlite:///nowhere.db"], "there is no store"),
    ],
)
def test_what_is_asked_for_wrongly_is_said(beside_run, capsys, arguments, said):
    assert predict(arguments) == 2
    assert said in capsys.readouterr().err


def test_networks_of_other_images_see_them_resized(workplace, capsys):
    assert run([*SMALL, "trainer.figures=none"]) == 0
    assert run([*SMALL, "trainer.figures=none", "trainer.checkpoints=none"]) == 0
    with np.load("digits.npz") as file:
        Image.fromarray(file["images"][4]).resize((64, 64), Image.Resampling.NEAREST).save("bar.png")
    capsys.readouterr()
    assert predict(["last", "bar.png"]) == 2
    assert "no checkpoints/best.npz or last.npz" in capsys.readouterr().err
    from lenet.tracking.finding import Finder

    first = Finder(f"sqlite:///{workplace / 'mlflow.db'}").search("", order="attributes.start_time ASC")[0]
    assert predict([first.id, "bar.png", "--format", "csv"]) == 0
    output, error = capsys.readouterr()
    assert "images are resized to 16×16, in grey" in error
    assert output.splitlines()[1].startswith("bar.png,1,")
