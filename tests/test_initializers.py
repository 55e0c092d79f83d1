"""Each initializer draws the distribution of its source, from the generator alone, in float64."""

import math
from typing import get_args

import numpy as np
import pytest

from lenet.initializers import INITIALIZERS, Initializer

FAN_IN, FAN_OUT = 50, 150
VARIANCES = {
    "glorot_uniform": 0.01,
    "glorot_normal": 0.01,
    "he_uniform": 0.04,
    "he_normal": 0.04,
    "lecun_uniform": 0.02,
    "lecun_normal": 0.02,
    "lecun_1998": (2.4 / 50) ** 2 / 3,
    "standard_normal": 1.0,
}


def draw(name: Initializer, shape: tuple[int, ...] = (200, 500), seed: int = 0) -> np.ndarray:
    return INITIALIZERS[name](shape, FAN_IN, FAN_OUT, np.random.default_rng(seed))


def test_the_names_a_configuration_may_use_are_those_that_exist() -> None:
    assert set(get_args(Initializer)) == set(INITIALIZERS) == set(VARIANCES)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_mean_and_variance_are_those_of_the_source(name: Initializer) -> None:
    # Of 100,000 draws the mean errs by sd / 316 and the variance by at most 0.45 %; allow five times that.
    weights = draw(name)
    assert abs(weights.mean()) < 5 * math.sqrt(VARIANCES[name] / weights.size)
    assert weights.var() == pytest.approx(VARIANCES[name], rel=0.0225)


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if name.endswith(("uniform", "1998"))])
def test_uniform_weights_fill_their_interval_evenly(name: Initializer) -> None:
    # An interval of half-width a has variance a² / 3.
    limit = math.sqrt(3 * VARIANCES[name])
    weights = draw(name)
    counts, _ = np.histogram(weights, bins=10, range=(-limit, limit))
    assert counts.sum() == weights.size
    assert counts == pytest.approx(weights.size / 10, rel=0.05)


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if name.endswith("normal")])
def test_normal_weights_are_not_truncated(name: Initializer) -> None:
    # 0.27 % of a normal distribution lie beyond three standard deviations.
    beyond = np.abs(draw(name)) > 3 * math.sqrt(VARIANCES[name])
    assert beyond.mean() == pytest.approx(0.0027, rel=0.3)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_are_host_float64_of_the_shape_asked_for(name: Initializer) -> None:
    weights = draw(name, (6, 1, 5, 5))
    assert isinstance(weights, np.ndarray)
    assert weights.shape == (6, 1, 5, 5)
    assert weights.dtype == np.float64


@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_follow_from_the_generator(name: Initializer) -> None:
    assert (draw(name, (3, 4), seed=1) == draw(name, (3, 4), seed=1)).all()
    assert (draw(name, (3, 4), seed=1) != draw(name, (3, 4), seed=2)).any()
