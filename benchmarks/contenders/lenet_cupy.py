"""This project on a GPU: the same contender as on NumPy, with `backend=cupy`."""

from typing import Any

from benchmarks.contenders.base import Indices
from benchmarks.contenders.lenet_numpy import LeNetNumpy
from benchmarks.contenders.on_gpu import OnGpu
from lenet.arrays.backend import Backend, BackendSettings


class LeNetCupy(OnGpu, LeNetNumpy):
    """This project on the first GPU."""

    def __init__(self) -> None:
        super().__init__(threads=1)

    def backend(self) -> Backend:
        return BackendSettings("cupy", "float32").open()

    def on_device(self, indices: Indices) -> Any:
        return self.engine.backend.array(indices)

    def wait(self) -> None:
        self.engine.backend.wait()

    def memory(self) -> int:
        return int(self.engine.backend.xp.get_default_memory_pool().total_bytes())

    def versions(self) -> dict[str, str]:
        return {"CuPy": self.engine.backend.xp.__version__, "GPU": str(self.engine.backend.gpu)}
