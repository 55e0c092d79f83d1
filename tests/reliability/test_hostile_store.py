"""A store that was made to do harm: what a real run left is altered, and loading it runs nothing."""

import copy
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lenet import checkpoint
from lenet.common.stored_yaml import read_yaml
from lenet.configuration.build import build
from lenet.errors import UserError
from lenet.run import main
from tests.conftest import SMALL, artifacts
from tests.reliability.conftest import Report

Config = dict[str, Any]

CANARY = "canary"
TARGETS = {
    # what to call: with what
    "os.system": {"command": f"touch {CANARY}"},
    "posix.system": {"command": f"touch {CANARY}"},
    "os.mkdir": {"path": CANARY},
    "os.open": {"path": CANARY, "flags": os.O_CREAT},
    "subprocess.run": {"args": ["touch", CANARY]},
    "subprocess.Popen": {"args": ["touch", CANARY]},
    "subprocess.check_output": {"args": ["touch", CANARY]},
    "builtins.exec": {"source": f"open('{CANARY}', 'w')"},
    "builtins.eval": {"source": f"open('{CANARY}', 'w')"},
    "builtins.open": {"file": CANARY, "mode": "w"},
    "io.open": {"file": CANARY, "mode": "w"},
    "pathlib.Path.touch": {"self": CANARY},
    "pathlib.Path.write_text": {"self": CANARY, "data": ""},
    "numpy.load": {"file": "pickle.npy", "allow_pickle": True},
    "numpy.save": {"file": CANARY, "arr": [1]},
    "pickle.loads": {"data": f"cos\nsystem\n(S'touch {CANARY}'\ntR."},
    "yaml.unsafe_load": {"stream": f"!!python/object/apply:os.system ['touch {CANARY}']"},
    "runpy.run_path": {"path_name": "planted.py"},
    "importlib.import_module": {"name": "planted"},
    "shutil.copy": {"src": "digits.npz", "dst": CANARY},
    "hydra.utils.instantiate": {"config": {"_target_": "os.system", "command": f"touch {CANARY}"}},
    "hydra.utils.get_object": {"path": "planted.Planted"},
    "functools.partial": {"func": "os.system"},
    "planted.Planted": {},
    "planted": {},
    "antigravity.fly": {},
    "lenet.run.os.system": {"command": f"touch {CANARY}"},
    "lenet.common.files.os.mkdir": {"path": CANARY},
    "lenet.common.files.write_atomically": {"path": CANARY, "data": ""},
    "lenet.recorded.environment.subprocess.run": {"args": ["touch", CANARY]},
    "lenet.recorded.environment.subprocess.Popen": {"args": ["touch", CANARY]},
    "lenet.arrays.backend.sys.modules": {},
    "lenet.configuration.construct.make": {"node": {"_target_": "os.system", "command": f"touch {CANARY}"}},
    "lenet.configuration.construct.get_object": {"path": "planted.Planted"},
    "lenet.running.experiment.execute": {"plan": None},
    "lenet.run.main": {"arguments": ["data=npz"]},
    "lenet.layers.Conv2d.__init__.__globals__": {},
    "lenet.__builtins__.exec": {"source": f"open('{CANARY}', 'w')"},
    "tests.conftest.save_digits": {"path": CANARY},
    "benchmarks.process.measure": {},
}
PLACES: dict[str, Callable[[Config], Config]] = {
    "optimizer": lambda config: config["optimizer"],
    "schedule": lambda config: config["schedule"],
    "data": lambda config: config["data"],
    "a layer": lambda config: config["network"]["layers"][1],
}
BOMB = {"_target_": "os.system", "command": f"touch {CANARY}"}
ALTERATIONS: dict[str, Callable[[Config], object]] = {
    "a nested target": lambda c: c["optimizer"].update(lr=BOMB),
    "a target in a list": lambda c: c["data"].update(size=[BOMB]),
    "a partial": lambda c: c["optimizer"].update(_partial_=True),
    "positional arguments": lambda c: c["optimizer"].update(_args_=[BOMB]),
    "a recursion": lambda c: c["schedule"].update(_recursive_=True),
    "a conversion": lambda c: c["data"].update(_convert_="object"),
    "a target at the top": lambda c: c.update(BOMB),
    "a target in tracking": lambda c: c["tracking"].update(BOMB),
    "a target in trainer": lambda c: c["trainer"].update(BOMB),
    "a target in backend": lambda c: c["backend"].update(BOMB),
    "a target in network": lambda c: c["network"].update(BOMB),
    "a target beside the layers": lambda c: c["network"].update(extra={"deep": [BOMB]}),
    "a list as target": lambda c: c["optimizer"].update(_target_=["os.system"]),
    "a mapping as target": lambda c: c["optimizer"].update(_target_=BOMB),
    "hydra's own node": lambda c: c.update(hydra={"callbacks": {"x": BOMB}}),
    "defaults": lambda c: c.update(defaults=[{"optimizer": "sgd"}]),
    "a variable": lambda c: c["tracking"].update(experiment="${oc.env:CANARY}"),
    "a variable, decoded": lambda c: c.update(seed="${oc.decode:${oc.env:CANARY}}"),
    "a made mapping": lambda c: c["network"].update(extra="${oc.create:{a:1}}"),
    "another key": lambda c: c["network"].update(extra="${tracking.uri}"),
    "an interpolated key": lambda c: c["network"].update({"${oc.env:CANARY}": 1}),
    "a key for the terminal": lambda c: c.update({"\x1b]0;x\x07": 1}),
    "allowed modules of its own": lambda c: c["network"].update(allowed=["os"], layers=[BOMB]),
    "no layers": lambda c: c["network"].update(layers=[]),
    "layers as text": lambda c: c["network"].update(layers="os.system"),
    "a folder no path can name": lambda c: c["data"].update(images=["/etc/passwd"]),
    "a giant integer": lambda c: c.update(seed=1 << 1200),
    "an infinite rate": lambda c: c["optimizer"].update(lr=float("inf")),
    "no number": lambda c: c["optimizer"].update(lr=float("nan")),
    "nothing": lambda c: c.clear(),
}
TEXTS = {
    "python's own tags": f"seed: !!python/object/apply:os.system ['touch {CANARY}']",
    "a new object": "seed: !!python/object/new:subprocess.Popen [[touch, canary]]",
    "a module": "seed: !!python/module:planted",
    "a name": "seed: !!python/name:planted.Planted",
    "a billion laughs": "\n".join(
        ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    ),
    "a merge": "optimizer: &o {lr: 1}\nschedule: {<<: *o}",
    "itself": "&a [*a]",
    "depth": "[" * 100_000,
    "length": "seed: " + "9" * 1_000_000,
    "several documents": "seed: 1\n---\nseed: 2",
    "a key twice": "seed: 1\nseed: 2",
    "no YAML": "\x00\xff",
}


@pytest.fixture
def loaded(workplace: Path, records: Callable[[], list], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the artifacts of a real run, in a folder with a module and a pickle that leave a canary."""
    assert main([*SMALL, "trainer.epochs=1", "trainer.figures=none"]) == 0
    (workplace / "planted.py").write_text(f"open({CANARY!r}, 'w')\nclass Planted: ...\n")

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {CANARY}",)

    np.save(workplace / "pickle.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    monkeypatch.setenv("CANARY", "sings")
    monkeypatch.syspath_prepend(str(workplace))
    return artifacts(records()[0])


def refused(read: Callable[[], Config], folder: Path) -> None:
    """Hold what is read to one message of few words, and to leaving no canary and no module."""
    before = set(sys.modules)
    with pytest.raises(UserError) as error:
        build(read(), allowed=())
    message = str(error.value)
    assert 0 < len(message) < 1000
    assert "sings" not in message
    assert "\x1b" not in message
    assert not (folder / CANARY).exists()
    assert set(sys.modules) == before


@pytest.mark.slow
def test_a_hostile_configuration_runs_nothing(loaded: Path, workplace: Path, report: Report) -> None:
    path = loaded / "config" / "config.yaml"
    stored = read_yaml(path.read_text(), "the run's config.yaml")
    assert isinstance(stored, dict)
    assert build(stored, allowed=()).seed == 0
    last = checkpoint.load(loaded / "checkpoints" / "last.npz")
    forged = workplace / "forged.npz"
    told = dict.fromkeys(("targets", "shapes", "texts"), 0)

    def attack(config: Config, kind: str) -> None:
        path.write_text(yaml.safe_dump(config))
        refused(lambda: read_yaml(path.read_text(), "the run's config.yaml"), workplace)  # type: ignore[arg-type, return-value]
        meta = {key: value for key, value in last.meta.items() if key != "format"}
        checkpoint.save(forged, last.arrays, {**meta, "config": config})
        refused(lambda: checkpoint.load(forged).meta["config"], workplace)
        told[kind] += 2

    for target, arguments in TARGETS.items():
        for place in PLACES.values():
            for known in (arguments, None):  # as the function wants it, and with what belongs there
                config = copy.deepcopy(stored)
                node = place(config)
                kept = dict(node) if known is None else known
                node.clear()
                node.update(kept, _target_=target)
                attack(config, "targets")
    for alter in ALTERATIONS.values():
        config = copy.deepcopy(stored)
        alter(config)
        attack(config, "shapes")
    for text in TEXTS.values():
        path.write_text(text)
        refused(lambda: read_yaml(path.read_text(), "the run's config.yaml"), workplace)  # type: ignore[arg-type, return-value]
        told["texts"] += 1
    told_of = "refused in one message; nothing run, imported or written"
    report("Loaded", f"{len(TARGETS)} functions of others named as parts", told["targets"], told_of)
    report("Loaded", f"{len(ALTERATIONS)} other alterations of a stored configuration", told["shapes"], told_of)
    report("Loaded", "YAML with tags, aliases, depth or length", told["texts"], told_of)


def test_hydra_alone_would_have_done_some_of_it(workplace: Path, loaded: Path) -> None:
    # Attacks that do no harm anywhere would prove nothing, and Hydra's list of what it refuses is not enough.
    from hydra.utils import instantiate

    done = []
    for target, arguments in TARGETS.items():
        if target.startswith(("lenet.", "tests.", "benchmarks.", "antigravity")):
            continue
        with suppress(Exception):  # on its list, or not called as it wants to be
            instantiate({"_target_": target, **arguments})
        for path in workplace.glob(f"{CANARY}*"):
            done.append(target)
            path.rmdir() if path.is_dir() else path.unlink()
        sys.modules.pop("planted", None)
    assert {"planted.Planted", "numpy.save"} <= set(done), done
