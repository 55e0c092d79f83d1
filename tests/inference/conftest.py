"""The model that MLflow loads of a run, and digits to give it."""

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from lenet.data import Mnist5k
from lenet.data.dataset import Images
from lenet.tracking.finding import Finder


@pytest.fixture
def uri(beside_run: Path) -> Iterator[str]:
    """Return the address of the model of the run on MNIST's digits, whose store MLflow is told."""
    mlflow.set_tracking_uri(address := f"sqlite:///{beside_run / 'mlflow.db'}")
    yield f"runs:/{Finder(address).find('last').id}/model"
    mlflow.set_tracking_uri(None)


@pytest.fixture(scope="module")
def digits() -> Images:
    return Mnist5k().load(0).test_images[:100]
