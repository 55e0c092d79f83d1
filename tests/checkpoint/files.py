"""What checkpoints in the tests hold, and files that are made to look like one."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lenet import checkpoint
from lenet.errors import UserError

ARRAYS: dict[str, NDArray[Any]] = {
    "param/conv1/weight": np.arange(150, dtype=np.float32).reshape(6, 1, 5, 5) / 7,
    "param/conv1/bias": np.linspace(-1, 1, 6, dtype=np.float32),
    "velocity/conv1/weight": np.full((6, 1, 5, 5), -0.5, np.float32),
    "velocity/conv1/bias": np.zeros(6, np.float32),
}


META = {
    "config": {"optimizer": {"lr": 0.01}, "name": "größer"},
    "step": 640,
    "epoch": 10,
    "history": [{"train/loss": 0.1 + 0.2, "val/loss": float("inf")}],
    "random": np.random.default_rng(0).bit_generator.state,
}


BYTES = checkpoint.dumps(ARRAYS, META)


def write(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def meta_entry(**meta: Any) -> bytes:
    return npy(np.array(json.dumps({"format": 1, **meta})))


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message
