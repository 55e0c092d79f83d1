# mypy: disable-error-code="import-not-found, no-untyped-call, unused-ignore"
"""PyTorch on a GPU, eager or compiled."""

from typing import Any

import torch

from benchmarks.contenders.on_gpu import OnGpu
from benchmarks.contenders.torch_eager import TorchEager
from benchmarks.problem import Problem


class TorchCuda(OnGpu, TorchEager):
    """The same network and steps on `device`; compiled, with CUDA graphs, as `torch.compile` makes them."""

    def __init__(self, compiled: bool, device: str = "cuda") -> None:
        super().__init__(threads=1, channels_last=False, device=device)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32 here too
        self.compiled = compiled

    def open(self, problem: Problem) -> None:
        torch.compiler.reset()
        super().open(problem)

    def start(self) -> None:
        super().start()
        if self.compiled:
            self.loss = torch.compile(
                self.loss_of, mode="reduce-overhead", dynamic=False
            )  # a graph for each batch size

    def wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def memory(self) -> int:
        return torch.cuda.memory_reserved() if self.device == "cuda" else 0  # type: ignore[no-any-return]

    def _on_device(self, indices: Any) -> Any:
        """Upload indices without waiting for what the GPU still has to do, as CuPy does."""
        return indices.pin_memory().to(self.device, non_blocking=True) if self.device == "cuda" else indices

    def versions(self) -> dict[str, str]:
        gpu: dict[str, Any] = {"GPU": torch.cuda.get_device_name()} if self.device == "cuda" else {}
        return super().versions() | gpu
