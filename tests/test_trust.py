"""What comes from a store is not trusted: it runs no code, imports nothing, and is read as plain values alone."""

import sys
import textwrap

import pytest

import lenet.experiment  # with all that it needs, so that a trial imports nothing
import lenet.run  # noqa: F401
from lenet.build import build
from lenet.config import compose_config
from lenet.construct import make
from lenet.data import DataSource
from lenet.documents import read_json, read_yaml
from lenet.errors import UserError
from lenet.layers import Layer
from lenet.optimizers import Optimizer
from lenet.schedules import Schedule

KINDS = {"network.layers[0]": Layer, "optimizer": Optimizer, "schedule": Schedule, "data": DataSource}

TARGETS = [
    "os.system",
    "posix.system",
    "subprocess.run",
    "subprocess.Popen",
    "builtins.exec",
    "builtins.eval",
    "builtins.open",
    "pickle.loads",
    "numpy.load",
    "pathlib.Path",
    "importlib.import_module",
    "functools.partial",
    "hydra.utils.instantiate",
    "hydra.utils.call",
    "hydra.utils.get_method",
    "omegaconf.OmegaConf.register_new_resolver",
    "yaml.unsafe_load",
    "antigravity.fly",
    "this",
    "canary.Canary",
    "lenet.run.sys.exit",
    "lenet.run.os.system",
    "lenet.files.os.system",
    "lenet.files.os",
    "lenet.command.os.dup2",
    "lenet.files.write_atomically",
    "lenet.run.main",
    "lenet.experiment.execute",
    "lenet.composition.copy.deepcopy",
    "lenet.construct.get_object",
    "lenet.construct.call",
    "lenet.validation.validated",
    "lenet.build.build",
    "lenet.network.Network",
    "lenet.training.crew.Crew",
    "lenet.pool.Pool",
    "lenet.environment.subprocess.run",
    "lenet.environment.Path",
    "lenet.layers.base.ABC",
    "lenet.layers.Layer",
    "lenet.optimizers.Optimizer",
    "lenet.optimizers.SGD.step",
    "lenet.optimizers.SGD.__init__",
    "lenet.optimizers.SGD.__class__",
    "lenet.__builtins__",
    "lenet.__class__",
    "lenet.optimizers.__builtins__.exec",
    "lenet..optimizers.SGD",
    ".lenet.optimizers.SGD",
    "lenet.optimizers.SGD.",
    "lenet",
    "",
    "lenet.optimizers.SGD\n",
    "lenet.optimizers.ＳＧＤ",
    "lenet.optimizers:SGD",
    "lenet/optimizers/SGD",
    "lenetx.optimizers.SGD",
    "lenet.nothing.SGD",
    "lenet.optimizers.Nothing",
    "lenet.tests.canary",
]


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A module in the working directory that leaves a trace when it is imported."""
    (tmp_path / "canary.py").write_text(
        textwrap.dedent(
            """
            import os
            from pathlib import Path

            from lenet.layers import Layer, ReLU
            from lenet.optimizers import SGD

            Path("trace").touch()

            class Canary(ReLU):
                pass

            def factory(**arguments) -> Layer:
                Path("called").touch()
                return ReLU()

            make = lambda **arguments: Path("called").touch()
            """
        )
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("canary", None)


@pytest.mark.parametrize("key", KINDS)
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_made_of_what_is_not_lenets_own_and_of_the_kind(target, key, canary):
    before = set(sys.modules)
    with pytest.raises(UserError) as caught:
        make({"_target_": target, "command": "touch trace", "args": ["touch trace"]}, key, KINDS[key], allowed=())
    assert str(caught.value).startswith(f"`{key}._target_` is")
    assert not {name for name in set(sys.modules) - before if not name.startswith("lenet.")}
    assert [path.name for path in canary.iterdir() if path.name != "__pycache__"] == ["canary.py"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"lr": {"_target_": "os.system", "command": "touch trace"}},
        {"lr": 0.1, "momentum": [{"_target_": "os.system"}]},
        {"lr": 0.1, "_partial_": True},
        {"lr": 0.1, "_args_": ["touch trace"]},
        {"lr": 0.1, "_recursive_": False},
        {"lr": 0.1, "_convert_": "all"},
        {"lr": {"a": {"b": [[{"_target_": "os.system"}]]}}},
    ],
)
def test_arguments_describe_no_parts_and_hold_no_keys_of_hydra(arguments):
    with pytest.raises(UserError, match=r"has no place in a stored configuration"):
        make({"_target_": "lenet.optimizers.Momentum", **arguments}, "optimizer", Optimizer, allowed=())


@pytest.mark.parametrize("name", ["canary.Canary", "canary.factory"])
def test_a_module_of_the_users_own_is_allowed_by_name(name, canary):
    with pytest.raises(UserError, match="--allow MODULE"):
        make({"_target_": name}, "network.layers[0]", Layer, allowed=("canar", "other"))
    assert not (canary / "trace").exists()
    assert isinstance(make({"_target_": name}, "network.layers[0]", Layer, allowed=("canary",)), Layer)


@pytest.mark.parametrize("name", ["canary.os.system", "canary.Path", "canary.make", "canary.SGD", "canary.nothing"])
def test_what_an_allowed_module_has_from_elsewhere_is_not_allowed(name, canary):
    with pytest.raises(UserError):
        make({"_target_": name}, "network.layers[0]", Layer, allowed=("canary",))
    assert not (canary / "called").exists()


def test_an_allowed_module_that_cannot_be_imported_is_said(workplace, monkeypatch):
    (workplace / "broken.py").write_text("import nothing_of_this_name\n")
    monkeypatch.syspath_prepend(workplace)
    with pytest.raises(UserError, match="nothing_of_this_name"):
        make({"_target_": "broken.Layer"}, "network.layers[0]", Layer, allowed=("broken",))


def test_no_configuration_allows_itself_anything():
    config = compose_config()
    config["network"]["allowed"] = ["os"]
    config["network"]["layers"][0] = {"_target_": "os.system", "command": "true"}
    with pytest.raises(UserError, match="which lenet does not define"):
        build(config, allowed=())


def test_every_configuration_of_ours_is_made_of_what_is_trusted():
    for schedule in ("constant", "cosine", "plateau", "onecycle", "range_test"):
        for optimizer in ("sgd", "momentum", "nesterov"):
            build(compose_config([f"schedule={schedule}", f"optimizer={optimizer}"]), allowed=())
    for data in ("mnist", "fashion_mnist", "kmnist", "mnist_5k"):
        build(compose_config([f"data={data}"]), allowed=())


BOMB = "a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True))

DOCUMENTS = {
    "python object": "a: !!python/object/apply:os.system ['touch trace']",
    "python name": "a: !!python/name:os.system",
    "binary": "a: !!binary aGVsbG8=",
    "set": "a: !!set {x: null}",
    "timestamp": "a: 2026-01-01",
    "other tag": "a: !mine {x: 1}",
    "alias": "a: &x [1]\nb: *x",
    "anchor": "a: &x [1]",
    "bomb": BOMB,
    "merge": "a: {x: 1}\nb:\n  <<: {y: 1}",
    "key twice": "a: 1\na: 2",
    "key that is a number": "1: a",
    "key that is a list": "[1]: a",
    "key that is a mapping": "{a: 1}: a",
    "interpolation": "a: ${oc.env:HOME}",
    "nested interpolation": "a: [b, {c: 'x${oc.decode:${oc.env:SECRET}}'}]",
    "interpolated key": "'${oc.env:HOME}': 1",
    "two documents": "a: 1\n---\nb: 2",
    "no end": "a: [1, 2",
    "deep": "a: " + "[" * 200 + "]" * 200,
    "very deep": "[" * 50_000,
    "long": "a: " + "x" * 200_000,
    "a control character": "a: \x00",
    "a number too long": "a: " + "9" * 10_000,
    "tab": "a:\n\t- b",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_that_are_not_plain_are_refused_with_one_message(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        read_yaml(DOCUMENTS[name], "run x: config.yaml")
    message = str(caught.value)
    assert message.startswith("run x: config.yaml cannot be read: ")
    assert len(message) < 400
    assert message.isprintable()
    assert list(tmp_path.iterdir()) == []


def test_a_plain_document_is_what_it_says():
    assert read_yaml("a: [1, 2.5, true, null, 'x', {b: y}]\n", "s") == {"a": [1, 2.5, True, None, "x", {"b": "y"}]}


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '{"a": "${oc.env:HOME}"}', "[" * 100_000, '{"a":' * 60 + "1" + "}" * 60]
)
def test_json_that_is_no_plain_object_is_refused(text):
    with pytest.raises(UserError, match=r"^s cannot be read: "):
        read_json(text, "s", resolved=True)
