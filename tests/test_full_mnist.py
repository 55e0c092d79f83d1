"""What the README says of full MNIST, on the real thing."""

import os

import pytest

from lenet.data import Mnist
from lenet.errors import UserError
from lenet.run import main


@pytest.fixture
def full_mnist() -> str:
    """Return where full MNIST lies, or skip."""
    root = os.environ.get("LENET_DATA")
    if not root:
        pytest.skip("LENET_DATA is not set: full MNIST is not at hand")
    try:
        Mnist(root=root).load(seed=0)
    except UserError as missing:
        pytest.skip(f"full MNIST is not at hand: {missing}")
    return root


@pytest.mark.full_mnist
def test_ten_epochs_of_the_defaults_reach_the_accuracy_that_was_promised(full_mnist, workplace, records):
    assert main(["data=mnist", f"data.root={full_mnist}", "trainer.epochs=10"]) == 0
    (run,) = records()
    assert run.data.metrics["test/accuracy"] >= 0.988
