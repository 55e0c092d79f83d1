"""What all sources share: their config files say what their constructors take, and bad values are refused."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

import lenet.data
from lenet.data import DataSource, Idx, ImageFolder, Mnist, Mnist5k, Npz
from lenet.errors import UserError

FILES = sorted(Path(__file__).parents[2].joinpath("conf", "data").glob("*.yaml"))


def test_there_is_a_config_file_for_each_source() -> None:
    names = ["fashion_mnist", "idx", "image_folder", "kmnist", "mnist", "mnist_5k", "npz"]
    assert [file.stem for file in FILES] == names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_config_file_lists_every_argument_with_its_default(file: Path) -> None:
    config: dict[str, Any] = yaml.safe_load(file.read_text())
    source = getattr(lenet.data, config.pop("_target_").removeprefix("lenet.data."))
    assert issubclass(source, DataSource)
    defaults = {
        name: "???" if parameter.default is parameter.empty else parameter.default
        for name, parameter in inspect.signature(source).parameters.items()
    }
    assert config == defaults


@pytest.mark.parametrize(
    ("source", "arguments", "key"),
    [
        (Mnist5k, {"validation": 0}, "validation"),
        (Mnist5k, {"validation": 1.0}, "validation"),
        (Mnist5k, {"validation": "none"}, "validation"),
        (Mnist5k, {"scaling": "minmax"}, "scaling"),
        (Mnist5k, {"test": 1.5}, "test"),
        (Mnist, {"timeout": 0}, "timeout"),
        (Mnist, {"root": ""}, "root"),
        (Mnist, {"root": 3}, "root"),
        (Idx, {}, "root"),
        (Npz, {}, "images"),
        (Npz, {"images": "a.npz", "test_images": ""}, "test_images"),
        (ImageFolder, {"root": ".", "channels": 2}, "channels"),
        (ImageFolder, {"root": ".", "size": [28]}, "size"),
        (ImageFolder, {"root": ".", "size": [0, 28]}, "size"),
        (ImageFolder, {"root": ".", "size": [28, 9999]}, "size"),
    ],
)
def test_a_wrong_argument_is_named(source: type[DataSource], arguments: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError, match=key) as error:
        source(**arguments)
    assert {str(fault["loc"][0]) for fault in error.value.errors()} == {key}


def test_validation_is_a_share_or_the_word_report() -> None:
    assert Mnist5k(validation=0.25).validation == 0.25
    assert Mnist5k(validation="report").validation == "report"


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert Idx(root="~/digits").root == Path("/home/someone/digits")


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a" * 5000, "a\0b", "/dev/null", "/dev/null/x"])
def test_a_path_that_cannot_exist_is_one_error(path: str) -> None:
    for source in (Mnist(root=path), Idx(root=path), ImageFolder(root=path), Npz(images=path)):
        with pytest.raises(UserError, match="no such"):
            source.load(seed=0)
