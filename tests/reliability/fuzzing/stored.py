"""Configurations as runs recorded them, read and built as going on with a run does."""

import json
import math
from collections.abc import Mapping
from random import Random
from typing import Any, get_args

import numpy as np
import yaml

from lenet.common.stored_yaml import read_yaml
from lenet.configuration.build import Plan, build
from lenet.configuration.config import compose_config
from lenet.data import DataSource
from lenet.data.augmentation import Augmentation
from lenet.data.scaling import ScalingKind
from lenet.errors import UserError
from lenet.layers import Layer
from lenet.losses import Loss
from lenet.optimizers import Optimizer
from lenet.schedules import Clock, Schedule
from tests.reliability.fuzzing.mutations import EXTREMES, mutate_bytes

SOURCE = "config/config.yaml"
SEEDS = (
    ("backend=numpy",),
    ("optimizer=nesterov", "optimizer.clip_norm=1", "schedule=cosine", "seed=3", "network.pooling=max"),
    ("optimizer=sgd", "schedule=plateau", "data=image_folder", "data.root=x", "data.validation=report"),
    ("schedule=multistep", "data=npz", "data.images=x.npz", "trainer.early_stopping=3", "trainer.checkpoint_every=2"),
    ("optimizer=adamw", "schedule=threshold", "loss.smoothing=0.1", "augmentation=affine", "data.scaling=unit"),
    ("network=lenet5_1998", "loss=map", "optimizer=diagonal_lm", "schedule=piecewise", "augmentation=elastic"),
)
TARGETS = (
    *("lenet.optimizers.SGD", "lenet.schedules.Step", "lenet.layers.ReLU", "lenet.layers.pooling", "lenet.data.Idx"),
    *("lenet.optimizers.Optimizer", "lenet.run.main", "lenet", "os.getcwd", "builtins.dict", ".", "", "lenet.", "é.é"),
)
VALUES: tuple[Any, ...] = (
    *(
        *EXTREMES,
        10**30,
        0.5,
        1.5,
        -0.0,
        1e-320,
        1e308,
        math.nan,
        math.inf,
        -math.inf,
        True,
        False,
        None,
        "",
        " ",
        "\0",
    ),
    *(
        "abc",
        "1",
        "1e5",
        "nan",
        "classes",
        "report",
        "null",
        "~",
        "~nobody",
        "a" * 5000,
        "\x1b[2J",
        "\ud7ff",
        "${seed}",
    ),
    *([], {}, [[]], {"a": 1}, {"_target_": "lenet.layers.ReLU"}, [1, 2, 3], ["a"] * 300, [None], {"": {}}, *TARGETS),
)
TOKENS = (
    *(
        "&a ",
        "*a",
        "!!python/object:os.system",
        "!!binary ",
        "!!set ",
        "<<: ",
        "? ",
        "- ",
        "---\n",
        "...\n",
        "%YAML 9.9\n",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "'",
        '"',
        "|\n",
        ">\n",
        "#",
        "\t",
        "@",
        "`",
        "\0",
        "\ufeff",
        "﻿",
        "2001-01-01",
        "0o7",
    ),
    *("0x1F", "1_000", ".inf", ".nan", "1:30", "yes", "~", "=", "[" * 200, "{a: " * 100, "- " * 200, "${oc.env:HOME}"),
)


class StoredConfiguration:
    """`config.yaml`, changed as text or as what it says."""

    name = "stored config.yaml"

    def __init__(self) -> None:
        self.seeds = [yaml.safe_dump(compose_config(overrides), sort_keys=False) for overrides in SEEDS]

    def mutate(self, random: Random, base: str, other: str) -> str:
        if random.random() < 0.6:
            return mutate_tree(random, base)
        return mutate_text(random, base, other)

    def read(self, content: str) -> Plan:
        config = read_yaml(content, SOURCE)
        if not isinstance(config, dict):
            raise UserError(f"{SOURCE} is not one of a run.")  # as `read_stored` says it
        return build(config, allowed=())

    def names(self, content: str) -> list[str]:
        return [SOURCE, "`", "tracking.uri", "the stored configuration"]

    def check(self, content: str, plan: Plan) -> None:
        """Hold the plan to what PyYAML alone reads, and to what a run needs."""
        read = yaml.load(content, yaml.CSafeLoader)
        no_callbacks = {"callbacks"} if read.get("callbacks") == {} else set()
        assert same(plan.config, {key: value for key, value in read.items() if key not in {"sweep", *no_callbacks}})
        check_plan(plan)


def mutate_tree(random: Random, text: str) -> str:
    """Return a document in which one value is another, is not there, or stands under another key."""
    if "&" in text and "*" in text:
        return text  # which could stand for more than can be looked through
    try:
        tree = yaml.load(text, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    nodes = [node for node in walk(tree) if isinstance(node, dict | list) and node]
    if not nodes:
        return text
    node = random.choice(nodes)
    key = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
    change = random.randrange(6)
    if change == 0:
        del node[key]
    elif change == 1 and isinstance(node, dict):
        node[random.choice(["x", "lr", "_target_", "_partial_", "_args_", "self", "0", "", "é"])] = node.pop(key)
    elif change == 2 and isinstance(node, dict):
        node[random.choice(["name", "padding", "warmup", "x", "stride", "classes"])] = random.choice(VALUES)
    elif isinstance(node, dict) and key == "_target_":
        node[key] = random.choice(TARGETS)
    else:
        node[key] = random.choice(VALUES)
    return yaml.dump(tree, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)


def mutate_text(random: Random, base: str, other: str) -> str:
    """Return a text with a token put in or in the place of some characters, or with bytes that are others."""
    if random.random() < 0.4:
        return mutate_bytes(random, base.encode(), other.encode()).decode("utf-8", errors="replace")
    at = random.randrange(len(base) + 1)
    return base[:at] + random.choice(TOKENS) + base[at + random.choice([0, 0, 1, 5]) :]


def walk(node: Any) -> list[Any]:
    """Return a tree's nodes, itself first."""
    inner = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
    return [node, *(found for each in inner for found in walk(each))]


def same(one: Any, other: Any) -> bool:
    """Say whether two trees are equal, where NaN is equal to itself and 1 is not True."""
    return repr(one) == repr(other)


def check_plan(plan: Plan) -> None:
    """Raise AssertionError unless every part of a plan is of its kind, with values that a run can be made with."""
    kinds = {
        "optimizer": Optimizer,
        "schedule": Schedule,
        "data": DataSource,
        "loss": Loss,
        "augmentation": Augmentation,
    }
    assert all(isinstance(getattr(plan, name), kind) for name, kind in kinds.items())
    layers = plan.network.layers(classes=3)
    assert layers
    assert all(isinstance(layer, Layer) for layer in layers)
    optimizer, trainer, backend = plan.optimizer, plan.trainer, plan.backend
    assert type(plan.seed) is int
    assert plan.seed >= 0
    assert 0 < optimizer.lr < math.inf
    assert 0 <= optimizer.weight_decay < math.inf
    assert optimizer.clip_norm is None or 0 < optimizer.clip_norm < math.inf
    assert 0 <= getattr(optimizer, "momentum", 0) < 1
    assert type(trainer.epochs) is int
    assert trainer.epochs >= 1
    assert trainer.sampler.batch >= 1
    assert trainer.early_stopping is None or trainer.early_stopping >= 1
    assert backend.name in ("auto", "numpy", "cupy")
    assert backend.dtype in (np.dtype(np.float32), np.dtype(np.float64))
    assert backend.threads is None or backend.threads >= 1
    assert plan.data.validation == "report" or 0 < plan.data.validation < 1
    assert plan.data.scaling in get_args(ScalingKind)
    assert plan.tracking.experiment
    assert "://" in plan.tracking.uri
    record = {"val/loss": 1.0, "val/accuracy": 0.5, "train/loss": 1.0, "train/accuracy": 0.5}
    for step in (0, 1, 19):
        factor = plan.schedule(Clock(step, 10, 2), [record] * (step // 10))
        assert 0 <= factor < math.inf
    check_recordable(plan.config)


def check_recordable(config: Mapping[str, Any]) -> None:
    """Raise AssertionError unless a configuration comes back from the YAML and the JSON that a run records."""
    text = yaml.dump(dict(config), Dumper=yaml.CSafeDumper, sort_keys=False)
    assert same(yaml.load(text, yaml.CSafeLoader), dict(config))
    assert same(json.loads(json.dumps(dict(config))), dict(config))
