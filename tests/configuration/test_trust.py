"""A configuration that was stored builds lenet's own parts, those of allowed modules, and nothing else."""

import copy
import functools
import sys
from pathlib import Path

import pytest

from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.configuration.trust import resolve
from lenet.data import DataSource
from lenet.errors import UserError
from lenet.layers import Layer
from lenet.optimizers import Optimizer
from lenet.schedules import Schedule

KINDS = {"optimizer": Optimizer, "schedule": Schedule, "data": DataSource, "network.layers[0]": Layer}

CONF = Path(__file__).parents[2] / "conf"


def names(group: str) -> list[str]:
    """Return the options of a group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


PATHS = [
    "os.system",
    "posix.system",
    "subprocess.Popen",
    "builtins.exec",
    "builtins.dict",
    "pickle.loads",
    "numpy.load",
    "pathlib.Path.write_text",
    "antigravity.fly",
    "this.s",
    "planted.Planted",
    "lenet.run.os.system",
    "lenet.tracking.address.os.system",
    "lenet.recorded.environment.subprocess.run",
    "lenet.recorded.environment.subprocess.Popen",
    "lenet.arrays.backend.sys.modules",
    "lenet.data.download.tempfile.TemporaryDirectory",
    "lenet.data.files.Path",
    "lenet.common.files.write_atomically",
    "lenet.configuration.construct.make",
    "lenet.configuration.construct.get_object",
    "lenet.configuration.build.build",
    "lenet.configuration.build.partial",
    "lenet.run.main",
    "lenet.common.random.stream",
    "lenet.errors.UserError",
    "lenet.network.Network",
    "lenet.layers",
    "lenet.layers.Layer",
    "lenet.layers.activation.Literal",
    "lenet.layers.Conv2d.forward",
    "lenet.layers.Conv2d.__init__",
    "lenet.layers.Conv2d.__class__",
    "lenet.layers.activation.__globals__",
    "lenet.layers.activation.__wrapped__",
    "lenet.__builtins__.exec",
    "lenet.optimizers.Optimizer",
    "lenet.schedules.Schedule",
    "lenet.optimizers.ABC",
    "lenet.data.DataSource",
    "lenet.nowhere.Thing",
    "lenet.plots.curves",
    "lenet",
    "lenetx.Thing",
    "lenet..optimizers.SGD",
    ".lenet.optimizers.SGD",
    "lenet.optimizers.SGD.",
    "lenet.optimizers.SGD ",
    "lenet.optimizers.SGD\n",
    "lenet/optimizers/SGD",
    "lenet.optimizers:SGD",
    "lenet.optimizers.ＳGD",
    "lenet.optimizers.SGD;import os",
    "",
    ".",
    "x" * 100_000,
    "a." * 50_000 + "b",
]


@pytest.fixture
def unchanged():
    """Hold what is refused to importing nothing."""
    composed()
    before = set(sys.modules)
    yield
    assert set(sys.modules) == before


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Lay modules where Python finds them: `planted`, which leaves a file when it is imported, and `mine`."""
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w').close()\nclass Planted: ...\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "parts.py").write_text(
        "from subprocess import Popen\n"
        "from lenet.layers import Conv2d, Layer, ReLU\n"
        "class Twice(ReLU):\n"
        "    class Inner(ReLU): ...\n"
        "Alias = Twice\n"
        "instance = Twice()\n"
        "def twice(name: str = '') -> Layer:\n    return Twice(name)\n"
        "def anything(name: str = ''):\n    return Twice(name)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] in ("mine", "planted")]:
        del sys.modules[name]


@functools.cache
def composed() -> dict:
    """Compose the defaults, once: it imports parts of Hydra when it is first done."""
    return compose_config()


def stored(target: object = None, place: str = "optimizer") -> dict:
    """Return a configuration as a run stores it, with another `_target_` in one place."""
    config = copy.deepcopy({key: value for key, value in composed().items() if key != "sweep"})
    if target is not None:
        node = config["network"]["layers"][0] if place.startswith("network") else config[place]
        node["_target_"] = target
    return config


@pytest.mark.parametrize("place", KINDS)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40].encode("unicode_escape").decode())
def test_only_parts_of_the_kind_are_found(planted, unchanged, place, path):
    with pytest.raises(UserError) as error:
        build(stored(path, place), allowed=())
    assert f"`{place}._target_` is " in str(error.value)
    assert '`--allow MODULE` on the command line or `allow=["MODULE"]` in Python' in str(error.value)
    assert len(str(error.value)) < 500
    assert not (planted / "canary").exists()


@pytest.mark.parametrize("path", [None, 1, ["os.system"], {"_target_": "os.system"}, True, 1.5])
@pytest.mark.parametrize("place", KINDS)
def test_a_target_that_is_no_text_is_refused(place, path):
    config = stored("x", place)
    node = config["network"]["layers"][0] if place.startswith("network") else config[place]
    node["_target_"] = path
    with pytest.raises(UserError):
        build(config, allowed=())


@pytest.mark.parametrize(
    "choices",
    [[f"schedule={name}"] for name in names("schedule")]
    + [[f"optimizer={name}"] for name in names("optimizer")]
    + [[f"network={name}"] for name in names("network")]
    + [[f"loss={name}"] for name in names("loss")]
    + [[f"data={name}"] for name in ("mnist_5k", "mnist", "fashion_mnist", "kmnist")]
    + [["data=npz", "data.images=x"], ["data=idx", "data.root=x"], ["data=image_folder", "data.root=x"]]
    + [["experiment=report_regime"], ["experiment=lr_range_test"]],
)
def test_what_the_menu_offers_is_trusted(choices):
    config = compose_config(choices)
    assert build(config, allowed=()).config == build(config).config


@pytest.mark.parametrize("key", ["_target_", "_partial_", "_recursive_", "_args_", "_convert_"])
@pytest.mark.parametrize("where", ["optimizer.lr", "data.scaling", "network.layers.0.channels", "network.extra"])
@pytest.mark.parametrize("allowed", [None, ()])
def test_nothing_below_a_part_is_ever_made(tmp_path, key, where, allowed):
    canary = tmp_path / "canary"
    config = stored()
    *folders, last = where.split(".")
    node = config
    for name in folders:
        node = node[int(name) if isinstance(node, list) else name]
    node[last] = {"_target_": "os.system", key: {"_target_": "os.system"}, "command": f"touch {canary}"}
    if where == "network.extra" and allowed is None:
        build(config)  # the user's own, which serves by interpolation alone
    else:
        with pytest.raises(UserError, match=last):
            build(config, allowed)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network": {"extra": "${oc.env:HOME}"}}, r"`network\.extra` is '\$\{oc\.env:HOME\}', which is not resolved"),
        ({"seed": "${oc.decode:1}"}, "not resolved"),
        ({"optimizer": {"_partial_": True}}, r"`optimizer\._partial_`"),
        ({"data": {"x": {"_target_": "lenet.layers.ReLU"}}}, r"`data\.x\._target_`"),
        ({"_target_": "os.system"}, r"`_target_`"),
        ({"seed": 1 << 2000}, "2001 bits"),
        ({1: 2}, "the key 1 at the top"),
        ({"\x1b[2J": 2}, "the key"),
        ({"k" * 1000: 2}, "the key"),
        ({"${oc.env:HOME}": 2}, "the key"),
        ({"seed": b"bytes"}, "type bytes"),
        ({"network": {"extra": Path("x")}}, "type PosixPath"),
        ({"network": None}, "`network` is missing"),
        ({"sweep": None}, "`sweep` is missing"),
        ({"other": 1}, "Unknown key `other`"),
        ({"backend": 5}, "`backend` is 5"),
        ({"trainer": [1]}, r"`trainer` is \[1\]"),
        ({"schedule": "x"}, "`schedule` is 'x'"),
        ({"network": {"allowed": ["os"], "layers": [{"_target_": "os.system"}]}}, "not in a module"),
    ],
)
def test_what_no_run_stores_is_refused(change, said):
    config = stored()
    for key, value in change.items():
        if isinstance(value, dict):
            config[key] |= value
        else:
            config[key] = value
    with pytest.raises(UserError, match=said):
        build(config, allowed=())


@pytest.mark.parametrize("config", [None, [], "text", 5])
def test_a_configuration_that_is_no_mapping_is_refused(config):
    with pytest.raises(UserError, match="accepted: a mapping"):
        build(config, allowed=())


def test_depth_is_bounded_without_recursion():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    config = stored()
    config["network"]["extra"] = deep
    with pytest.raises(UserError, match="nested more than 20 deep"):
        build(config, allowed=())


def test_an_allowed_module_may_define_parts_and_so_may_those_below_it(planted):
    for allowed in (["mine"], ["mine.parts"]):
        for name in ("Twice", "Alias", "twice", "Conv2d"):
            assert resolve(f"mine.parts.{name}", "network.layers[0]", Layer, allowed)
    config = stored()
    config["network"]["layers"].insert(0, {"_target_": "mine.parts.Twice", "name": "twice"})
    plan = build(config, allowed=["mine"])
    assert type(plan.network.layers(10)[0]).__name__ == "Twice"
    with pytest.raises(UserError, match=r"layers\[0\]\._target_` is 'mine\.parts\.Twice', which is not in a module"):
        build(config, allowed=["mine.part", "min", "lenet", "planted"])


@pytest.mark.parametrize("name", ["Popen", "instance", "anything", "Layer", "nothing"])
def test_what_an_allowed_module_only_holds_is_not_its_own(planted, name):
    with pytest.raises(UserError, match="--allow"):
        resolve(f"mine.parts.{name}", "network.layers[0]", Layer, ["mine"])


def test_an_allowed_module_that_cannot_be_imported_is_named():
    with pytest.raises(UserError, match="the module `nowhere_at_all`, which was allowed, cannot be imported"):
        resolve("nowhere_at_all.X", "optimizer", Optimizer, ["nowhere_at_all"])


def test_a_run_from_before_losses_were_parts_had_the_cross_entropy():
    older = {key: node for key, node in stored().items() if key != "loss"}
    assert vars(build(older, allowed=()).loss) == {"smoothing": 0.0}


def test_a_run_from_before_augmentation_saw_its_images_as_they_are():
    older = {key: node for key, node in stored().items() if key != "augmentation"}
    assert not build(older, allowed=()).augmentation.distorts
