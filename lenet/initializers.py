"""Distributions that initial weights are drawn from, by name.

Each is a function of the shape, the layer's fan-in and fan-out (connections into and out of one unit: for a
convolution, channels · kernel height · kernel width) and a random generator. It draws float64 on the CPU;
the caller casts, so that every backend and dtype starts from the same numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float64]
Shape = tuple[int, ...]
Fan = int | npt.NDArray[np.integer[Any]]
"""Of all of a parameter's units, or an array for each, to be broadcast to its shape."""

Initializer = Literal[
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "lecun_1998",
    "standard_normal",
]

Variance = float | npt.NDArray[np.floating[Any]]


def glorot_uniform(shape: Shape, fan_in: Fan, fan_out: Fan, generator: np.random.Generator) -> Weights:
    """Variance 2 / (fan_in + fan_out): Glorot & Bengio 2010, equation 16, meant for tanh."""
    return _uniform(shape, 2 / (fan_in + fan_out), generator)


def glorot_normal(shape: Shape, fan_in: Fan, fan_out: Fan, generator: np.random.Generator) -> Weights:
    """Variance 2 / (fan_in + fan_out): Glorot & Bengio 2010, equation 12."""
    return _normal(shape, 2 / (fan_in + fan_out), generator)


def he_uniform(shape: Shape, fan_in: Fan, fan_out: Fan, generator: np.random.Generator) -> Weights:
    """Variance 2 / fan_in, as `he_normal`."""
    return _uniform(shape, 2 / fan_in, generator)


def he_normal(shape: Shape, fan_in: Fan, fan_out: Fan, generator: np.random.Generator) -> Weights:
    """Variance 2 / fan_in: He et al. 2015, equation 10, meant for ReLU."""
    return _normal(shape, 2 / fan_in, generator)


def lecun_uniform(shape: Shape, fan_in: Fan, fan_out: Fan, generator: np.random.Generator) -> Weights:
    """Variance 1 / fan_in, as `lecun_normal`."""
    return _uniform(shape, 1 / fan_in, generator)


def lecun_normal(shape: Shape, fan_in: Fan, fan_out: Fan, generator: np.random.Generator) -> Weights:
    """Variance 1 / fan_in: LeCun, Bottou, Orr & Müller 1998 (Efficient BackProp), equation 16."""
    return _normal(shape, 1 / fan_in, generator)


def lecun_1998(shape: Shape, fan_in: Fan, fan_out: Fan, generator: np.random.Generator) -> Weights:
    """Evenly from ±2.4 / fan_in: LeCun, Bottou, Bengio & Haffner 1998, appendix A."""
    return _uniform(shape, (2.4 / fan_in) ** 2 / 3, generator)


def standard_normal(shape: Shape, fan_in: Fan, fan_out: Fan, generator: np.random.Generator) -> Weights:
    """Variance 1 whatever the fans."""
    return _normal(shape, 1.0, generator)


INITIALIZERS: Mapping[Initializer, Callable[[Shape, Fan, Fan, np.random.Generator], Weights]] = {
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "lecun_uniform": lecun_uniform,
    "lecun_normal": lecun_normal,
    "lecun_1998": lecun_1998,
    "standard_normal": standard_normal,
}


def _uniform(shape: Shape, variance: Variance, generator: np.random.Generator) -> Weights:
    limit = np.sqrt(3 * variance)
    return generator.uniform(-limit, limit, shape)


def _normal(shape: Shape, variance: Variance, generator: np.random.Generator) -> Weights:
    return generator.normal(0.0, np.sqrt(variance), shape)
