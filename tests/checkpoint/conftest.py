"""What the tests of checkpoints share: one in a file."""

from pathlib import Path

import pytest

from lenet import checkpoint
from tests.checkpoint.files import ARRAYS, META


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "last.npz"
    checkpoint.save(path, ARRAYS, META)
    return path
