"""A data source of a user's own that is wrong ends in one message that says which, what, and at which line."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lenet import check
from lenet.data import Dataset, DataSource, Npz, Pool, load, read
from lenet.errors import UserError
from lenet.run import main

IMAGES, LABELS = np.zeros((4, 1, 3, 2), np.uint8), np.array([0, 1, 0, 1])


class Source(DataSource):
    """Loads what it is given, or raises it."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def load(self, seed: int) -> Dataset:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]


def test_a_data_set_is_handed_on() -> None:
    data = Dataset("toy", IMAGES, LABELS, IMAGES, LABELS, ("a", "b"), "here")
    assert load(Source(data), 0) is data


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (3, r"load returned a value of type int; accepted: a lenet\.data\.Dataset\.$"),
        (None, r"load returned None; accepted"),
        ((IMAGES, LABELS), r"load returned a value of type tuple; accepted"),
        (ValueError("no\nrows"), r"load raised ValueError: no rows \(test_loading\.py, line \d+\)\.$"),
        (KeyError(), r"load raised KeyError \(test_loading\.py, line \d+\)\.$"),
    ],
)
def test_what_is_no_data_set_is_said_of_the_source(answer: object, says: str) -> None:
    with pytest.raises(UserError, match=rf"^`data` \(\S*test_loading\.Source\): {says}"):
        load(Source(answer), 0)


def test_what_a_source_says_itself_stays_as_it_is() -> None:
    with pytest.raises(UserError, match=r"^The archive is closed on Sundays\.$"):
        load(Source(UserError("The archive is closed on Sundays.")), 0)


class Inverted(Npz):
    """Does to images as they are loaded what no reading of its file does."""

    def load(self, seed: int) -> Dataset:
        found = super().load(seed)
        return replace(found, train_images=255 - found.train_images, test_images=255 - found.test_images)


class Unreadable(Npz):
    def read(self) -> Dataset | Pool:
        raise ValueError("no rows")


class Nothing(Npz):
    def read(self) -> Dataset | Pool:
        return None  # type: ignore[return-value]


def test_data_are_read_whole_unless_their_source_has_a_way_of_its_own_to_load_them(tmp_path: Path) -> None:
    np.savez(path := tmp_path / "a.npz", images=np.zeros((20, 3, 2), np.uint8), labels=np.arange(20) % 2)
    whole = read(Npz(path), 0)
    assert isinstance(whole, Pool)
    assert len(whole.images) == 20
    loaded = read(Inverted(path), 0)
    assert isinstance(loaded, Dataset)
    assert (loaded.test_images == 255).all()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Unreadable, r"read raised ValueError: no rows \(test_loading\.py, line \d+\)\.$"),
        (Nothing, r"read returned None; accepted: a lenet\.data\.Dataset or a lenet\.data\.Pool\.$"),
    ],
)
def test_what_cannot_be_read_is_said_of_the_source(kind: type[Npz], says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^`data` \(\S*test_loading\.{kind.__name__}\): {says}"):
        read(kind(tmp_path / "a.npz"), 0)


SOURCES = """\
import numpy as np
from lenet.data import Dataset, DataSource

class Three(DataSource):
    def load(self, seed):
        return 3

class Raises(DataSource):
    def load(self, seed):
        return {}["images"]

class RaisesAsMade(DataSource):
    def __init__(self):
        {}["folder"]

    def load(self, seed):
        return None

class Floats(DataSource):
    def load(self, seed):
        images, labels = np.zeros((4, 1, 8, 8)), np.array([0, 1, 0, 1])
        return Dataset("floats", images, labels, images, labels, ("a", "b"), "floats.csv")

class Nothing(DataSource):
    pass
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Three", "`data` (their_data.Three): load returned a value of type int; accepted: a lenet.data.Dataset."),
        ("Raises", "`data` (their_data.Raises): load raised KeyError: 'images' (their_data.py, line 10)."),
        (
            "RaisesAsMade",
            "`data` (their_data.RaisesAsMade) cannot be made: it raises KeyError: 'folder' (their_data.py, line 14).",
        ),
        ("Floats", "floats.csv: found training images float64(4, 1, 8, 8); accepted: uint8 (N, C, H, W)."),
        ("Nothing", "`data._target_` is 'their_data.Nothing', which lacks load; accepted: a class that has it."),
    ],
)
def test_a_command_says_it_in_one_message_and_makes_no_run(workplace, monkeypatch, records, capsys, name, says) -> None:
    (workplace / "their_data.py").write_text(SOURCES)
    (workplace / "conf/data").mkdir(parents=True)
    (workplace / "conf/data/theirs.yaml").write_text(f"_target_: their_data.{name}\n")
    monkeypatch.syspath_prepend(str(workplace))
    monkeypatch.delitem(sys.modules, "their_data", raising=False)
    for command in (main, check.main):
        assert command(["--config-dir", ".", "data=theirs"]) == 2
        assert capsys.readouterr().err == f"lenet: {says}\n"
    assert not records()
