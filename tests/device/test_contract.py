"""What the library uses on arrays is in the CuPy that is installed, by the names and keywords that it uses.

CuPy imports without a GPU. The stand-in has what is used and nothing else, as the other tests show; here each of its
functions, methods and their parameters is looked up in the real package. Signatures come from `inspect` where Python
can see them, and else from the first lines of the docstring, which hold them for compiled methods and for ufuncs.
"""

import inspect
import re
from typing import Any

import pytest

from tests.device.standin import UFUNCS, DeviceArray, StandIn
from tests.device.usage import used

cupy = pytest.importorskip("cupy", reason="CuPy is not installed (`make test-extras` installs it)")

OWN = {"counts", "memory", "held", "operand", "index", "made", "launched", "launch", "ufunc", "lib", "cuda"}
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
    wanted = set(inspect.signature(ours).parameters) - {"self"}
    missing = {each for each in wanted - parameters(real) if each not in ("axes", "shape")}
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


def test_what_waits_for_a_gpu():
    assert callable(cupy.cuda.get_current_stream)
    assert callable(cupy.cuda.Stream.synchronize)


def test_a_missing_one_is_named(monkeypatch):
    monkeypatch.delattr(cupy, "take")
    with pytest.raises(AssertionError, match=r"has no take"):
        test_functions("take")
    with pytest.raises(AssertionError, match=r"does not take \['axis'\]"):
        assert_takes(lambda a: a, lambda a, axis: a, "sum")
