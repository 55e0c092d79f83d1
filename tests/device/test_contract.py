"""What the library uses on arrays is in the CuPy that is installed, by the names and keywords that it uses.

CuPy imports without a GPU. The stand-in has what is used and nothing else, as the other tests show; here each of its
functions, methods and their parameters is looked up in the real package. Signatures come from `inspect` where Python
can see them, and else from the first lines of the docstring, which hold them for compiled methods and for ufuncs.
"""

import inspect
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.device.standin import UFUNCS, DeviceArray, StandIn
from tests.device.usage import used

cupy = pytest.importorskip("cupy", reason="CuPy is not installed (`make test-extras` installs it)")

OWN = {
    "counts",
    "memory",
    "held",
    "operand",
    "index",
    "made",
    "launched",
    "launch",
    "ufunc",
    "set_apart",
    "lib",
    "cuda",
}
"""What the stand-in has for itself."""
FUNCTIONS = sorted(name for name in dir(StandIn()) if not name.startswith("_") and name not in {*OWN, *UFUNCS})
METHODS = sorted(name for name in vars(DeviceArray) if not name.startswith("_"))
OPERATORS = sorted(
    name
    for name, value in vars(DeviceArray).items()
    if name.startswith("__") and callable(value) and name not in ("__init__", "__array_function__")
)


def parameters(function: Any) -> set[str]:
    """Return the names of what a function takes, by what Python sees and by the first line of its docstring."""
    try:
        seen = set(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # compiled
        seen = set()
    lines = (function.__doc__ or "").strip().splitlines()
    return seen | set(re.findall(r"[(,]\s*\\?\*?(\w+)", lines[0] if lines else ""))


def assert_takes(real: Any, ours: Any, name: str) -> None:
    named = {each.name for each in inspect.signature(ours).parameters.values() if each.kind != each.VAR_POSITIONAL}
    missing = named - {"self"} - parameters(real)
    assert not missing, f"{name} of CuPy {cupy.__version__} does not take {sorted(missing)}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    assert hasattr(cupy, name), f"CuPy {cupy.__version__} has no {name}"
    ours = getattr(StandIn(), name)
    if callable(ours) and not isinstance(ours, type):
        assert_takes(getattr(cupy, name), ours, name)


@pytest.mark.parametrize("name", UFUNCS)
def test_elementwise_functions(name):
    function = getattr(cupy, name)
    assert isinstance(function, cupy.ufunc)
    assert {"out", "dtype"} <= parameters(function), function.__doc__


def test_strided_views():
    assert_takes(cupy.lib.stride_tricks.as_strided, StandIn()._as_strided, "as_strided")


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    assert hasattr(cupy.ndarray, name), f"arrays of CuPy {cupy.__version__} have no {name}"
    ours = getattr(DeviceArray, name)
    if callable(ours):
        assert_takes(getattr(cupy.ndarray, name), ours, name)


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    assert hasattr(cupy.ndarray, name), f"arrays of CuPy {cupy.__version__} have no {name}"


def test_flags():
    from cupy._core.flags import Flags

    assert {"c_contiguous", "f_contiguous", "owndata"} <= set(dir(Flags))
    assert not hasattr(Flags, "writeable")  # or the stand-in is too strict


@pytest.mark.parametrize(
    "name", ["getDeviceCount", "getDeviceProperties", "driverGetVersion", "runtimeGetVersion", "CUDARuntimeError"]
)
def test_what_finds_a_gpu(name):
    assert hasattr(cupy.cuda.runtime, name)


def test_memory_that_runs_out_is_a_memory_error():
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)


def test_no_more_is_used_of_the_array_module_than_is_looked_up_here():
    assert len(used()) > 25
    assert used() <= {*FUNCTIONS, *UFUNCS, "lib", "cuda"}


def test_what_takes_a_gpu_by_its_number():
    assert "device" in parameters(cupy.cuda.Device)
    assert callable(cupy.cuda.Device.use)


def test_sums_are_made_without_cub():
    """Its sums allocate; that of the stand-in does not."""
    code = (
        "from contextlib import suppress; from lenet.arrays import gpu\n"
        "with suppress(gpu.GpuMissing): gpu.check(0)\n"
        "from cupy import _core; print(_core.get_reduction_accelerators(), _core.get_routine_accelerators())"
    )
    environment = {key: value for key, value in os.environ.items() if key != "CUPY_ACCELERATORS"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


def test_what_waits_for_a_gpu():
    assert callable(cupy.cuda.get_current_stream)
    assert callable(cupy.cuda.Stream.synchronize)


def test_a_missing_one_is_named(monkeypatch):
    monkeypatch.delattr(cupy, "take")
    with pytest.raises(AssertionError, match=r"has no take"):
        test_functions("take")
    with pytest.raises(AssertionError, match=r"does not take \['axis'\]"):
        assert_takes(lambda a: a, lambda a, axis: a, "sum")
