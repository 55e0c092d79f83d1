"""What the README says of the defaults, on the digits that come with the install."""

from statistics import mean

import pytest

from lenet.run import main


@pytest.mark.slow
def test_the_defaults_reach_96_percent_on_the_embedded_digits(workplace, records):
    for seed in (0, 1, 2):
        assert main([f"seed={seed}", "trainer.figures=none"]) == 0
    assert mean(run.data.metrics["test/accuracy"] for run in records()) >= 0.96
