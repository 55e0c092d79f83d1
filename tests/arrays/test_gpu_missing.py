"""What is said where a GPU cannot be had, and by which name one that can be is called."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from lenet.arrays.backend import GPU_SUB_BATCH, BackendSettings
from lenet.errors import UserError


class CUDARuntimeError(RuntimeError):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


NO_DEVICE = CUDARuntimeError(100, "cudaErrorNoDevice: no CUDA-capable device is detected")
INSUFFICIENT = CUDARuntimeError(35, "cudaErrorInsufficientDriver: CUDA driver version is insufficient")
UNKNOWN = CUDARuntimeError(999, "cudaErrorUnknown: unknown error\nand more")


class Array:
    def sum(self):
        return self

    def item(self):
        return 8.0


@pytest.fixture
def cupy(monkeypatch):
    """Put a CuPy in place that finds two GPUs; a test changes what it finds."""
    fake = ModuleType("cupy")
    fake.found, fake.driver, fake.used, fake.fault = 2, 12080, [], None

    def count():
        if isinstance(fake.found, Exception):
            raise fake.found
        return fake.found

    def ones(shape, dtype):
        if fake.fault:
            raise fake.fault
        return Array()

    fake.ones, fake.matmul = ones, lambda a, b: a
    runtime = SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=count,
        driverGetVersion=lambda: fake.driver,
        runtimeGetVersion=lambda: 12090,
        getDeviceProperties=lambda device: {"name": f"GPU number {device}".encode()},
    )
    fake.unavailable = None

    def use(device):
        if fake.unavailable:
            raise fake.unavailable
        fake.used.append(device)

    fake.cuda = SimpleNamespace(runtime=runtime, Device=lambda device: SimpleNamespace(use=lambda: use(device)))
    monkeypatch.setitem(sys.modules, "cupy", fake)
    return fake


@pytest.mark.parametrize(
    ("found", "driver", "visible", "expected"),
    [
        (INSUFFICIENT, 0, None, "there is no NVIDIA driver"),
        (INSUFFICIENT, 11040, None, r"driver is too old, for CUDA 11\.4 where the CuPy here needs 12\.9; update"),
        (NO_DEVICE, 12080, None, r"finds no GPU; `nvidia-smi` lists those there are\. Accepted"),
        (NO_DEVICE, 12080, "7", r"finds no GPU; .*; CUDA_VISIBLE_DEVICES='7' hides those"),
        (UNKNOWN, 12080, None, r"CUDA cannot be used: cudaErrorUnknown: unknown error; "),
    ],
)
def test_what_is_missing_is_said_and_auto_goes_on_without(cupy, monkeypatch, found, driver, visible, expected):
    cupy.found, cupy.driver = found, driver
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(UserError, match=f"backend=cupy cannot be had: .*{expected}") as caught:
        BackendSettings("cupy").open()
    backend = BackendSettings("auto").open()
    assert backend.name == "numpy"
    assert backend.reason.removeprefix("chosen by backend=auto: ") in str(caught.value)
    assert not BackendSettings("auto").takes_gpu()
    assert not cupy.used


def test_a_package_that_cannot_be_imported_says_why(monkeypatch):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "cupy":
                raise ImportError("libcublas.so.12: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(UserError, match=r"cannot be imported \(libcublas\.so\.12: cannot open"):
        BackendSettings("cupy").open()


def test_a_gpu_that_does_not_compute_is_none(cupy):
    cupy.fault = RuntimeError("CuPy failed to load libnvrtc.so.12\nOSError: …")
    with pytest.raises(
        UserError,
        match=r"finds GPU number 0 and cannot compute on it \(CuPy failed to load libnvrtc\.so\.12\).*cuda12",
    ):
        BackendSettings("cupy").open()
    assert "cannot compute on it" in BackendSettings("auto").open().reason


@pytest.mark.parametrize("where", ["unavailable", "fault"])
@pytest.mark.parametrize(
    "error",
    [
        CUDARuntimeError(46, "cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable"),
        CUDARuntimeError(2, "cudaErrorMemoryAllocation: out of memory"),
        MemoryError("Out of memory allocating 512 bytes"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"),
    ],
    ids=str,
)
def test_a_gpu_that_others_use_up_is_none_and_what_shows_them_is_named(cupy, where, error):
    setattr(cupy, where, error)
    with pytest.raises(UserError, match=r"finds GPU number 0 and cannot compute .*; `nvidia-smi` shows what else"):
        BackendSettings("cupy").open()
    assert str(error).split(":")[0] in BackendSettings("auto").open().reason


@pytest.mark.parametrize(("found", "accepted"), [(1, "0"), (2, "0 to 1")])
@pytest.mark.parametrize("name", ["auto", "cupy"])
def test_a_gpu_that_is_not_there_is_refused_by_number(cupy, name, found, accepted):
    cupy.found = found
    with pytest.raises(
        UserError, match=rf"backend\.device=2: the GPUs here are counted from 0; accepted: {accepted}\."
    ):
        BackendSettings(name, device=2).open()


@pytest.mark.parametrize("name", ["auto", "cupy"])
def test_a_gpu_is_taken_by_its_number_and_called_by_its_name(cupy, name):
    settings = BackendSettings(name, "float64", device=1)
    backend = settings.open()
    assert settings.takes_gpu()
    assert cupy.used == [1]
    assert (backend.name, backend.xp, backend.dtype) == ("cupy", cupy, np.float64)
    assert (backend.threads, backend.sub_batch) == (1, GPU_SUB_BATCH)
    assert backend.gpu == "GPU number 1, CUDA 12.9"
    assert backend.reason == {"cupy": "asked for", "auto": f"chosen by backend=auto: found {backend.gpu}"}[name]
