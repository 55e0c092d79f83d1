# mypy: disable-error-code="import-not-found, no-untyped-call, unused-ignore, misc"
"""What can be asked of a contender on a GPU besides its speed: what its steps have the GPU do, and its memory."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from benchmarks.contenders.base import Contender

STEPS = 20
"""Steps that are recorded."""

WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


class OnGpu(Contender):
    """A contender whose process records the GPU's activity by CUDA's own interface (CUPTI), through PyTorch's profiler.

    That sees the whole process, whichever library launches.
    """

    @abstractmethod
    def memory(self) -> int:
        """Return the bytes of the GPU's memory that are set apart for this contender."""

    def activity(self, batch: int) -> dict[str, float]:
        """Return, for each training step: kernels, launches by the host, copies either way, and waits of the host."""
        import torch  # also where it is not PyTorch that computes

        self.start()
        order = np.arange(batch)
        for _ in range(3):
            self.step(order)
        self.wait()
        activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities) as profile:
            for _ in range(STEPS):
                self.step(order)
        return {what: count / STEPS for what, count in activity_of(profile.events()).items()}


def activity_of(events: Iterable[Any]) -> dict[str, int]:
    """Count a profile's events: what ran on the GPU, and the host's calls that had it run or waited for it."""
    counts: Counter[str] = Counter(kernels=0, launches=0, uploads=0, reads=0, waits=0)
    for event in events:
        name = event.name
        if event.device_type.name == "CUDA":
            if name.startswith("Memcpy HtoD"):
                counts["uploads"] += 1
            elif name.startswith("Memcpy DtoH"):
                counts["reads"] += 1
            elif not name.startswith("Mem"):
                counts["kernels"] += 1
        elif name.startswith(("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch")):
            counts["launches"] += 1
        elif name in WAITS:
            counts["waits"] += 1
    counts["waits"] -= min(1, counts["waits"])  # the profiler's own, at the end of what it records
    return dict(counts)
