"""Passwords in addresses, and what environment variables hold, reach no output, parameter, tag, artifact or folder."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from lenet.configuration import build
from lenet.configuration.composition import to_dict
from lenet.configuration.config import compose_config
from lenet.errors import UserError
from lenet.run import main
from lenet.tracking.address import mask, tracking_uri
from tests.conftest import SMALL

SECRET = "c4nary"
ADDRESSES = [
    # addresses of a store whose password holds the canary, with the characters that addresses trip over
    "postgresql://user:c4nary@host/db",
    "postgresql://user:p%40c4nary@host/db",
    "postgresql://user:a%2Fc4nary%3A@host:5432/db",
    "mysql+pymysql://user:c4nary!(x)$&*@host/db",
    "http://user:c4nary@host:5000",
    "https://c4nary@host",
    "http://user:c4nary:c4nary@host:5000/mlflow",
    "postgresql://host/db?user=u&password=c4nary",
    "postgresql://user:größec4nary@host/db",
]
AMBIGUOUS = [
    "postgresql://user:a@c4nary@host/db",
    "postgresql://user:12/c4nary@host/db",
    "postgresql://user:a/c4nary@host/db",
    "postgresql://user:a?c4nary@host/db",
    "postgresql://user:12#c4nary@host/db",
    "http://user:a c4nary@host",
    "http://user:a'c4nary@host",
    'http://user:a"c4nary@host',
    "http://user:a\nc4nary@host",
    "postgres://user:12/c4nary@host/db",
    "user:c4nary@host/db",
    "postgresql:user:c4nary@host/db",
    "sqlite://user:c4nary@/mlflow.db",
    "sqlite:///mlflow.db?password=c4nary",
]


def quoted(address: str) -> str:
    """Quote a value for Hydra's grammar."""
    return "'" + address.replace("'", r"\'") + "'"


@pytest.fixture
def recorded_here(workplace, monkeypatch):
    """Take the addresses for granted and record in the folder's store, as the server at the address would."""

    def here(uri: str | None) -> str:
        return tracking_uri(uri and None)

    monkeypatch.setattr(build, "tracking_uri", here)
    return workplace


def leaks(folder: Path) -> list[str]:
    """Return what in a folder holds the canary: files by their bytes, a database by its content."""
    found = [str(path) for path in folder.rglob("*") if SECRET in path.name]
    for path in folder.rglob("*"):
        if path.is_file() and SECRET.encode() in path.read_bytes():
            found.append(str(path))
    with sqlite3.connect(folder / "mlflow.db") as database:
        found += [line for line in database.iterdump() if SECRET in line]
    return found


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_s_password_reaches_nothing_that_a_run_leaves(recorded_here, capfd, records, address):
    extra = [f"tracking.uri={quoted(address)}", f"+network.note={quoted(address)}"]
    assert main([*SMALL, "trainer.epochs=1", *extra]) == 0
    assert len(records()) == 1
    assert "***" in records()[0].data.params["tracking.uri"]
    assert leaks(recorded_here) == []
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["-m", "optimizer.lr=0.01,0.02"],
        ["-m", "optimizer.lr=0.01,-1"],
        ["-m", "+network.other='http://u:c4nary@a','http://u:c4nary@b'"],
        ["experiment=lr_range_test", "trainer.epochs=2"],
        ["+network.bad={a: 'http://u:c4nary@a'}", "data.images=nowhere.npz"],
        ["--cfg", "job"],
        ["--cfg", "all"],
        ["--cfg", "job", "--resolve"],
        ["--info", "config"],
        ["--help"],
        ["seed=http://u:c4nary@h"],
        ["trackin.uri=http://u:c4nary@h"],
        ["tracking=http://u:c4nary@h"],
        ["tracking.uri=http://u:c4nary@h,x}"],
        ["data=mnist", "data.mirrors=['http://u:c4nary@127.0.0.1:9/x']", "data.timeout=1", "~data.images"],
    ],
    ids=" ".join,
)
def test_nor_by_any_other_way_to_ask(recorded_here, capfd, monkeypatch, more):
    monkeypatch.setenv("XDG_CACHE_HOME", str(recorded_here / "cache"))
    with suppress(SystemExit):  # Hydra's own way to end what only shows something
        main([*SMALL, "trainer.epochs=1", "tracking.uri=postgresql://user:c4nary@host/db", *more])
    assert leaks(recorded_here) == []
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "address",
    [
        "http://user:c4nary@127.0.0.1:9",
        "postgresql://user:c4nary@127.0.0.1:9/db",
        "mysql://user:c4nary@127.0.0.1:9/db",
        "mysql+nodriver://user:c4nary@127.0.0.1:9/db",
        "mssql+pyodbc://user:c4nary@127.0.0.1:9/db",
        "http://user:c4nary@[::1",
        *AMBIGUOUS,
    ],
)
@pytest.mark.parametrize("by", ["key", "variable"])
def test_a_store_that_cannot_be_had_is_named_without_its_password(workplace, capfd, monkeypatch, address, by):
    if by == "variable":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    extra = [f"tracking.uri={quoted(address)}"] if by == "key" else []
    assert main([*SMALL, *extra]) == 2
    assert leaks(workplace) == []
    output = "".join(capfd.readouterr())
    assert SECRET not in output
    assert "Traceback" not in output


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_mlflow_s_own_variables_are_masked(workplace, capfd, monkeypatch, name, end):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "user")
    monkeypatch.setenv(name, SECRET + end)  # as a file's content ends: requests then quotes the header that holds it
    assert main([*SMALL, "tracking.uri=http://127.0.0.1:9"]) == 2
    assert leaks(workplace) == []
    assert SECRET not in "".join(capfd.readouterr())
    assert mask(f"Bearer {SECRET}") == "Bearer ***"


@pytest.mark.parametrize(
    "override",
    [
        "data.images=${oc.env:CANARY}",
        "+network.note=${oc.decode:'${oc.env:CANARY}'}",
        "tracking.uri=http://${oc.env:CANARY}@host",
        "tracking.experiment=${oc.env:CANARY}",
        "+network.note=${oc.env:NO_SUCH_VARIABLE,${oc.env:CANARY}}",
    ],
)
def test_an_environment_variable_is_not_read_into_what_is_recorded(workplace, capfd, monkeypatch, override):
    monkeypatch.setenv("CANARY", SECRET)
    assert main([*SMALL, override]) == 2
    output = "".join(capfd.readouterr())
    assert SECRET not in output
    assert "CANARY" in output
    assert leaks(workplace) == []


def test_hidden_ways_to_a_variable_are_refused_too(monkeypatch):
    from omegaconf import OmegaConf

    monkeypatch.setenv("CANARY", SECRET)
    for text in ("${oc.${name}:CANARY}", "${oc.decode:${oc.env:CANARY}}", "${other}", "a${oc.env:CANARY}b"):
        config = OmegaConf.create({"name": "env", "other": "${oc.env:CANARY}", "seed": text})
        with pytest.raises(UserError, match="CANARY") as error:
            to_dict(config)
        assert SECRET not in str(error.value)
    assert OmegaConf.create({"a": "${oc.env:CANARY}"}).a == os.environ["CANARY"]  # elsewhere all is as it was


def test_what_is_built_knows_the_address_and_what_is_recorded_does_not():
    config = compose_config(["tracking.uri='http://user:c4nary@host'"])
    plan = build.build(config)
    assert plan.tracking.uri == "http://user:c4nary@host"
    assert plan.config["tracking"]["uri"] == "http://***@host"
    assert config["tracking"]["uri"] == "http://user:c4nary@host"
