"""The least time that a step's multiplications take: its floating-point operations over the rate of plain sgemm."""

import time
from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.arena import Entry
from lenet.network import LayerSummary

SHAPES = (
    (512, 512, 512),
    (256, 256, 256),
    (128, 128, 128),
    (96, 96, 96),
    (64, 64, 64),
    (6, 896, 25),
    (16, 320, 150),
    (120, 32, 400),
)
"""Products `(M, N, K)`: large and small squares, and the shapes of the network's own on 32 samples."""


def flops_per_sample(summaries: Sequence[LayerSummary]) -> int:
    """Return the floating-point operations of a training step's products, for one sample.

    Two for each multiply-accumulate of the forward pass, of the weights' gradients and of the inputs' gradients,
    of which the first layer's is not needed.
    """
    costs = [summary.multiply_accumulates for summary in summaries if summary.parameters]
    return 2 * (3 * sum(costs) - costs[0])


class Sgemm:
    """Measures NumPy's float32 matrix product on one core."""

    def __init__(self) -> None:
        threadpool_limits(1, user_api="blas")

    def rates(self, seconds: float) -> dict[str, float]:
        """Return the floating-point operations per second of each shape, measured for `seconds` in all."""
        return {f"{m}·{n}·{k}": _rate(m, n, k, seconds / len(SHAPES)) for m, n, k in SHAPES}


ENTRY = Entry("sgemm", "benchmarks.floor:Sgemm")


def _rate(m: int, n: int, k: int, seconds: float) -> float:
    generator = np.random.default_rng(0)
    a = generator.standard_normal((m, k), dtype=np.float32)
    b = generator.standard_normal((k, n), dtype=np.float32)
    out = np.empty((m, n), np.float32)
    repeats = max(1, int(1e7 / (m * n * k)))  # some 100 µs between two looks at the clock
    np.matmul(a, b, out=out)
    count, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds or not count:
        for _ in range(repeats):
            np.matmul(a, b, out=out)
        count += repeats
    return 2 * m * n * k * count / elapsed
