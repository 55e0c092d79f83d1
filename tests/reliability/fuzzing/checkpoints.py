"""Checkpoints of a real, small training, also from the middle of an epoch."""

import io
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from lenet import checkpoint
from lenet.arrays.backend import BackendSettings
from lenet.common.random import stream
from lenet.configuration.build import NetworkSettings
from lenet.network import Network
from lenet.optimizers import Momentum
from lenet.training.state import METRICS, State, read_state
from tests.reliability.fuzzing.mutations import mutate_bytes
from tests.reliability.fuzzing.npz_files import entries_of, rezip, zip_of

LAYERS: list[dict[str, Any]] = [
    {"_target_": "lenet.layers.Conv2d", "name": "conv1", "channels": 2, "kernel_size": 3},
    {"_target_": "lenet.layers.Flatten", "name": "flatten"},
    {"_target_": "lenet.layers.Linear", "name": "linear1", "features": "classes"},
]
VALUES = (
    0,
    1,
    -1,
    2,
    2**31,
    2**63,
    10**400,
    1.5,
    -0.0,
    float("nan"),
    float("inf"),
    True,
    None,
    "",
    "1",
    [],
    {},
    [[]],
    "\0",
)


class CheckpointFile:
    """What `load`, `check` and `read_state` make of a file, as going on with a run does."""

    name = "checkpoints"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "last.npz"
        network = Network(NetworkSettings(None, LAYERS).layers(3), (1, 6, 5), 3, BackendSettings("numpy").open())
        network.initialize("he_normal", stream(0, "init"))
        optimizer = Momentum()
        optimizer.bind(network.theta, network.decays, network.backend)
        vectors = {"param": network.theta, **optimizer.state}
        self.expected = {
            f"{kind}/{name}": np.ascontiguousarray(view)
            for kind, vector in vectors.items()
            for name, view in network.views(vector).items()
        }
        record = dict.fromkeys(METRICS, 0.25)
        state = State(epoch=1, step=7, loss=0.5, accuracy=1.0, seconds=0.1, history=[record])
        meta = {"config": {"seed": 0}, "classes": ["0", "1", "2"], **state.model_dump()}
        compressed = io.BytesIO()
        np.savez_compressed(compressed, meta=np.array(json.dumps({"format": 1, **meta})), **self.expected)  # type: ignore[arg-type]
        self.seeds = [checkpoint.dumps(self.expected, meta), compressed.getvalue()]

    def mutate(self, random: Random, base: bytes, other: bytes) -> bytes:
        return mutate_bytes(random, base, other, knowing=(rezip, _with_other_meta))

    def read(self, content: bytes) -> tuple[checkpoint.Checkpoint, State]:
        self.path.write_bytes(content)
        found = checkpoint.load(self.path)
        checkpoint.check(found, self.expected)
        return found, read_state(found)

    def names(self, content: bytes) -> list[str]:
        return [str(self.path)]

    def check(self, content: bytes, result: tuple[checkpoint.Checkpoint, State]) -> None:
        """Hold the arrays to what NumPy itself reads, and `meta` to what was read of it."""
        found, state = result
        with np.load(self.path, allow_pickle=False) as arrays:
            assert sorted(arrays.files) == sorted(["meta", *self.expected])
            for name, expected in self.expected.items():
                array = found.arrays[name]
                assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
                assert np.isfinite(array).all()
                assert np.array_equal(array, arrays[name])
            meta = json.loads(str(arrays["meta"]))
        assert meta["format"] == 1
        assert len(meta["history"]) == meta["epoch"] == state.epoch >= 0
        assert meta["step"] == state.step >= 0
        assert all(abs(meta[key]) < float("inf") for key in ("loss", "accuracy", "seconds"))


def _with_other_meta(random: Random, data: bytes) -> bytes:
    """Return a checkpoint, right as an archive, whose JSON says something else."""
    entries = entries_of(data)
    texts = [(name, content) for name, content in entries if name == "meta.npy"]
    if not texts:
        return data
    try:
        told = json.loads(str(np.load(io.BytesIO(texts[0][1]), allow_pickle=False)))
    except Exception:  # NumPy's parser of headers has faults of many types
        return data
    if isinstance(told, dict) and told:
        told[random.choice(list(told))] = random.choice(VALUES)
        text = json.dumps(told)
    else:
        text = "[" * 5000
    if random.random() < 0.3:
        text = mutate_bytes(random, text.encode(), b'{}[]",:NaN').decode("latin1").replace("\0", "")
    file = io.BytesIO()
    np.save(file, np.array(text))
    others = [entry for entry in entries if entry[0] != "meta.npy"]
    return zip_of([("meta.npy", file.getvalue()), *others], 0)
