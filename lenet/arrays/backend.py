"""The array library that a run computes with: NumPy or CuPy, chosen once and passed in."""

import math
import mmap
import os
import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from lenet.arrays.gpu import GpuMissing, check, find
from lenet.common.validation import NonNegativeInt, PositiveInt, validated
from lenet.errors import UserError

Array = Any
"""An array of the backend in use: `numpy.ndarray` or `cupy.ndarray`."""

SMALL_PRODUCT = 1_000_000
"""Multiplications `M·N·K` up to which OpenBLAS works on matrices as they lie, without copying them first: half as
fast again."""

CACHE_LINE = 64

CPU_SUB_BATCH = 32
"""Samples whose arrays stay in a core's second-level cache (about 250 KB a sample in float32)."""

GPU_SUB_BATCH = 1024
"""Samples that a GPU gets at once at most, so that scoring a whole data set does not take all of its memory."""


@dataclass(frozen=True)
class Backend:
    """An array module with what differs between NumPy and CuPy.

    `sub_batch` is the number of samples that go through the network at once. A larger batch is cut into pieces
    of that size whose results are reduced in their order, so the bits of a result do not depend on `threads`.
    On a CPU a piece stays in the cache; a GPU prefers few large launches. None cuts nothing.
    """

    name: Literal["numpy", "cupy"]
    xp: Any
    dtype: np.dtype[Any]
    threads: int
    sub_batch: int | None
    small_product: int | None = None
    """Multiplications `M·N·K` of the largest matrix product that is done fastest; None: the larger the better."""
    gpu: str | None = None
    reason: str = "asked for"
    """Why it is this one, for the log."""

    @property
    def prefers_long_operations(self) -> bool:
        """Whether each operation costs so much that few long ones are fastest, as on a GPU."""
        return self.small_product is None

    def array(self, host: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Array:
        """Return a copy of `host` on the device."""
        return self.xp.array(host, dtype=dtype)

    def to_host(self, array: Array) -> npt.NDArray[Any]:
        """Return `array` as a NumPy array; on NumPy it is the array itself."""
        return array if self.name == "numpy" else self.xp.asnumpy(array)  # type: ignore[no-any-return]

    def gather(self, rows: Array, indices: Array, out: Array) -> None:
        """Copy `rows[indices]` to `out`. All indices must be in range."""
        if self.name == "numpy":
            rows.take(indices, axis=0, out=out, mode="clip")  # any other mode would copy `out` first
        else:
            self.xp.take(rows, indices, axis=0, out=out)

    def wait(self) -> None:
        """Return when the device has done all that it was asked for; on NumPy that is at once."""
        if self.name != "numpy":
            self.xp.cuda.get_current_stream().synchronize()

    def zeros(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike | None = None) -> Array:
        """Return zeros that begin at a cache line: elsewhere, every second vector instruction reaches into two."""
        dtype = np.dtype(dtype or self.dtype)
        if self.name != "numpy":
            return self.xp.zeros(shape, dtype)
        size = math.prod(shape) if isinstance(shape, tuple) else shape
        memory = np.zeros(size * dtype.itemsize + CACHE_LINE, np.uint8)
        begin = -memory.ctypes.data % CACHE_LINE
        return memory[begin : begin + size * dtype.itemsize].view(dtype).reshape(shape)

    def shared(self, shape: tuple[int, ...], dtype: npt.DTypeLike | None = None) -> Array:
        """Return zeros that processes forked from this one share with it (on a GPU: plain zeros)."""
        dtype = np.dtype(dtype or self.dtype)
        if self.name != "numpy":
            return self.xp.zeros(shape, dtype)
        memory = mmap.mmap(-1, max(1, math.prod(shape) * dtype.itemsize))  # pages that are never used cost nothing
        return np.frombuffer(memory, dtype, math.prod(shape)).reshape(shape)

    def limit_blas(self) -> threadpool_limits:
        """Keep the BLAS to one thread: the threads work on sub-batches, and one thread's bits are always the same."""
        return threadpool_limits(1, user_api="blas")


class BackendSettings:
    """What `backend=…` asks for; `open` says what the machine has."""

    @validated
    def __init__(
        self,
        name: Literal["auto", "numpy", "cupy"] = "auto",
        dtype: Literal["float32", "float64"] = "float32",
        threads: PositiveInt | None = None,
        device: NonNegativeInt = 0,
    ) -> None:
        self.name = name
        self.dtype = np.dtype(dtype)
        self.threads = threads
        self.device = device

    def open(self) -> Backend:
        """Return the backend that was asked for; `auto` takes a GPU where there is one.

        Raises `UserError` where `cupy` is asked for and cannot be had, saying what is missing, or where there is no GPU
        of the number that was asked for.
        """
        if self.name == "numpy":
            return self._numpy("asked for")
        try:
            found = find(self.device)
        except GpuMissing as missing:
            if self.name == "auto":
                return self._numpy(f"chosen by backend=auto: {missing}")
            raise UserError(
                f"backend=cupy cannot be had: {missing}; {missing.remedy}. Accepted here: backend=numpy."
            ) from missing
        reason = "asked for" if self.name == "cupy" else f"chosen by backend=auto: found {found.name}"
        return Backend("cupy", found.cupy, self.dtype, 1, GPU_SUB_BATCH, gpu=found.name, reason=reason)

    def keep_to(self, cores: int) -> None:
        """Use no more than so many threads, unless their number was asked for."""
        self.threads = self.threads or cores

    def takes_gpu(self) -> bool:
        """Say whether `open` would take a GPU here."""
        if self.name == "numpy":
            return False
        try:
            check(self.device)
        except GpuMissing:
            return False
        return True

    def _numpy(self, reason: str) -> Backend:
        can_fork = sys.platform == "linux"  # elsewhere the system's own libraries do not bear it
        if self.threads and self.threads > 1 and not can_fork:
            raise UserError(
                f"backend.threads={self.threads} works on Linux alone; accepted on {sys.platform}: 1 or null."
            )
        threads = self.threads or (usable_cores() if can_fork else 1)
        return Backend("numpy", np, self.dtype, threads, CPU_SUB_BATCH, SMALL_PRODUCT, reason=reason)


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
