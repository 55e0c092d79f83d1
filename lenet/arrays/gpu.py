"""What there is of CuPy and of GPUs here, and what is missing. Only this file imports cupy."""

import os
from dataclasses import dataclass
from typing import Any

from lenet.errors import UserError

NO_GPU, OLD_DRIVER = 100, 35
"""CUDA's errors `cudaErrorNoDevice` and `cudaErrorInsufficientDriver`; it returns the latter without a driver too."""
NO_MEMORY = ("cudaErrorMemoryAllocation", "CUBLAS_STATUS_ALLOC_FAILED")
"""What CUDA's libraries say where it is they that get none."""
OF_ANOTHER = "cudaErrorDevicesUnavailable"
"""What CUDA says of a GPU that another process has to itself."""

INSTALL = "`pip install -e '.[cuda12]'` in lenet's folder (`.[cuda13]` with a driver for CUDA 13)"


@dataclass(frozen=True)
class Gpu:
    """A GPU that was tried: CuPy itself, and what the GPU is called."""

    cupy: Any
    name: str


class GpuMissing(Exception):
    """There is no GPU to compute on: what is missing, and what to do about it."""

    def __init__(self, missing: str, remedy: str) -> None:
        super().__init__(missing)
        self.remedy = remedy


def find(device: int) -> Gpu:
    """Return the GPU of this number, the current one from then on, after a first computation on it.

    Raises `GpuMissing`, or `UserError` where there are GPUs but none of this number.
    """
    cupy = check(device)
    name = f"GPU {device}"
    try:
        name = cupy.cuda.runtime.getDeviceProperties(device)["name"].decode()
        cupy.cuda.Device(device).use()
        ones = cupy.ones((2, 2), "float32")
        cupy.matmul(ones, ones).sum().item()  # compiles a kernel and loads cuBLAS
    except Exception as error:  # whatever it is, the GPU cannot be used because of it
        is_taken = is_shortage(error) or OF_ANOTHER in str(error)
        raise GpuMissing(
            f"CuPy finds {name} and cannot compute on it ({_first_line(error)})",
            "`nvidia-smi` shows what else uses it" if is_taken else f"CUDA's libraries come with {INSTALL}",
        ) from error
    return Gpu(cupy, f"{name}, CUDA {_version(cupy.cuda.runtime.runtimeGetVersion())}")


def is_shortage(error: Exception) -> bool:
    """Say whether an error is that memory has run out; that of CuPy is a `MemoryError` too."""
    return isinstance(error, MemoryError) or any(name in str(error) for name in NO_MEMORY)


def check(device: int) -> Any:
    """Return CuPy where there is a GPU of this number, without touching it; raise as `find` does."""
    # By CUB, a sum costs two allocations and two launches more: that pays for arrays much larger than those here.
    os.environ.setdefault("CUPY_ACCELERATORS", "")
    try:
        import cupy
    except ImportError as error:
        if error.name == "cupy":
            raise GpuMissing("the package CuPy is not installed", INSTALL) from None
        raise GpuMissing(f"the package CuPy cannot be imported ({_first_line(error)})", f"try {INSTALL}") from error
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        raise _explained(error, runtime) from error
    if device >= count:
        accepted = f"0 to {count - 1}" if count > 1 else "0"
        raise UserError(f"backend.device={device}: the GPUs here are counted from 0; accepted: {accepted}.")
    return cupy


def _explained(error: Any, runtime: Any) -> GpuMissing:
    driver, built_for = runtime.driverGetVersion(), _version(runtime.runtimeGetVersion())
    if error.status == OLD_DRIVER and not driver:
        return GpuMissing(
            "there is no NVIDIA driver",
            "`nvidia-smi` shows whether there is one; into a container `docker run --gpus all` passes it",
        )
    if error.status == OLD_DRIVER:
        return GpuMissing(
            f"the NVIDIA driver is too old, for CUDA {_version(driver)} where the CuPy here needs {built_for}",
            f"update the driver, or install the CuPy that fits it: {INSTALL}",
        )
    if error.status == NO_GPU:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = "" if visible is None else f"; CUDA_VISIBLE_DEVICES={visible!r} hides those it does not name"
        return GpuMissing("the NVIDIA driver finds no GPU", f"`nvidia-smi` lists those there are{hidden}")
    return GpuMissing(f"CUDA cannot be used: {_first_line(error)}", "`nvidia-smi` shows whether the driver works")


def _version(number: int) -> str:
    """Return a version as CUDA encodes it, 12090, as people read it: 12.9."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
