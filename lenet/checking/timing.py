"""How long each layer of a network takes, forward and backward."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lenet.arrays.backend import Array, Backend
from lenet.losses import Loss
from lenet.network import Network

ROUNDS = (3, 50)
"""The fewest and the most rounds, after a first one in which layers make their buffers."""
ENOUGH = 0.5
"""Seconds after which no further round begins."""


@dataclass(frozen=True)
class Seconds:
    """What an image takes. `backward` is None for a layer below all parameters, which no gradient has to reach."""

    forward: float
    backward: float | None


def measure(network: Network, loss: Loss, images: Array, labels: Array) -> dict[str, Seconds]:
    """Return the median time of each layer by its name, per image, as these go through the network on one thread."""
    backend = network.backend
    times: dict[str, tuple[list[float], list[float]]] = {layer.name: ([], []) for layer in network.layers}
    began = time.perf_counter()
    loss.bind(backend)
    with backend.limit_blas(), np.errstate(all="ignore"):
        for number in range(1 + ROUNDS[1]):
            if number > ROUNDS[0] and time.perf_counter() - began > ENOUGH:
                break
            x = images
            for layer in network.layers:
                x, taken = _timed(backend, layer.forward, x)
                times[layer.name][0].append(taken)
            loss.forward(x, labels)
            dy = loss.backward(1 / len(images))
            for layer in reversed(network.layers):
                dy, taken = _timed(backend, layer.backward, dy)
                times[layer.name][1].append(taken)
                if not layer.needs_input_gradient:
                    break
    return {name: Seconds(*(_median(part, len(images)) for part in parts)) for name, parts in times.items()}  # type: ignore[arg-type]


def _timed(backend: Backend, function: Callable[[Any], Any], argument: Array) -> tuple[Array, float]:
    start = time.perf_counter()
    result = function(argument)
    backend.wait()
    return result, time.perf_counter() - start


def _median(times: list[float], images: int) -> float | None:
    return statistics.median(times[1:]) / images if times else None
