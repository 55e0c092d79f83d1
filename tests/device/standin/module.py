"""The module: its functions, each with the names and keywords that CuPy's has, and what counts as what."""

import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.device.standin.array import Counts, DeviceArray

UFUNCS = (
    *("add", "subtract", "multiply", "divide", "maximum", "minimum", "equal", "greater", "greater_equal"),
    *("right_shift", "exp", "log", "sqrt", "tanh", "sin", "cos", "floor", "abs", "isfinite"),
)
"""Elementwise functions; each takes arrays and scalars, `out` and `dtype`."""

DTYPES = "?bhilqBHILQefdFD"
"""What arrays may hold: no texts or objects, and no floats that are longer than a double."""

SCALARS = (bool, int, float, np.bool_, np.number)


class OutOfMemoryError(MemoryError):
    """What CuPy raises, which is a `MemoryError` too."""


class StandIn:
    """The module: `backend.xp`."""

    inf = math.inf
    uint32 = np.uint32

    def __init__(self, memory: int | None = None) -> None:
        """Take as much as is allocated at once, or so many bytes at most, none of which is ever given back."""
        self.counts = Counts()
        self.memory = memory
        self.lib = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=self._as_strided))
        self.cuda = SimpleNamespace(get_current_stream=lambda: SimpleNamespace(synchronize=self._waited))
        for name in UFUNCS:
            setattr(self, name, self._named(name))

    def _waited(self) -> None:
        self.counts.reads += 1  # the host waits as if it read something

    # From the host and back.

    def array(self, obj: Any, dtype: Any = None) -> DeviceArray:
        if isinstance(obj, DeviceArray):
            return self.made("copy", obj._held.astype(dtype or obj.dtype, order="K"))
        return self._uploaded(np.array(obj, dtype))

    def asarray(self, a: Any, dtype: Any = None) -> DeviceArray:
        if isinstance(a, DeviceArray):
            return a if dtype in (None, a.dtype) else a.astype(dtype)
        return self._uploaded(np.array(a, dtype))

    def asnumpy(self, a: DeviceArray) -> np.ndarray:
        self.held(a)
        return a.get()

    # New arrays.

    def zeros(self, shape: Any, dtype: Any = float) -> DeviceArray:
        return self.made("fill", np.zeros(shape, dtype))

    def ones(self, shape: Any, dtype: Any = float) -> DeviceArray:
        return self.made("fill", np.ones(shape, dtype))

    def empty_like(self, prototype: DeviceArray, dtype: Any = None) -> DeviceArray:
        return self._allocated(np.empty_like(self.held(prototype), dtype))

    def ones_like(self, a: DeviceArray, dtype: Any = None) -> DeviceArray:
        return self.made("fill", np.ones_like(self.held(a), dtype))

    def arange(self, start: int, stop: int | None = None, step: int = 1, dtype: Any = None) -> DeviceArray:
        bounds = (0, start) if stop is None else (start, stop)
        return self.made("arange", np.arange(*bounds, step, dtype=dtype))

    # Functions of arrays.

    def take(self, a: DeviceArray, indices: DeviceArray, axis: Any = None, out: Any = None) -> DeviceArray:
        found = self.held(a).take(self.held(indices), axis=axis)
        return self._written("gather", found, out)

    def sum(self, a: DeviceArray, axis: Any = None, dtype: Any = None, out: Any = None) -> DeviceArray:
        self.held(a)
        return a.sum(axis, dtype, out)

    def dot(self, a: DeviceArray, b: DeviceArray, out: Any = None) -> DeviceArray:
        """Matrix product as CuPy has it: by cuBLAS, which takes rows or columns that lie one after another alone."""
        one, other = self.held(a), self.held(b)
        assert max(one.ndim, other.ndim) <= 2
        if out is not None:
            if out.dtype != np.result_type(one, other):
                raise ValueError("Not supported dtype combination.")
            if not out.flags.c_contiguous:
                raise ValueError("Output array must be C-contiguous")
        for operand in (one, other):
            if not operand.flags.c_contiguous and not operand.flags.f_contiguous:
                self._hidden_copy(operand)
        if out is None:
            return self.made("dot", np.asarray(np.dot(one, other)))
        np.dot(one, other, out=out._held)
        return self.launched("dot", out)

    def matmul(self, x1: DeviceArray, x2: DeviceArray, out: Any = None) -> DeviceArray:
        """Stacks of products as CuPy has them: operands are copied to lie without gaps, and so is the result.

        A single matrix that meets a stack is found by arrays of pointers, which are made at each call.
        """
        one, other = self.held(x1), self.held(x2)
        stacked = max(one.ndim, other.ndim) > 2
        if not stacked and (out is None or out.flags.c_contiguous):
            return self._matrices(x1, x2, out)
        result = np.matmul(one, other)
        for operand in (one, other):
            if not operand.flags.c_contiguous and (stacked or not operand.flags.f_contiguous):
                self._hidden_copy(operand)
        if stacked and any(math.prod(operand.shape[:-2]) != math.prod(result.shape[:-2]) for operand in (one, other)):
            for _ in range(3 * (result.ndim - 2)):
                self._hidden_copy(np.empty(result.shape[0]))
        if out is None:
            return self.made("matmul", result)
        self.launch("matmul", self.held(out))
        if not out.flags.c_contiguous:
            self._hidden_copy(result)
        np.matmul(one, other, out=self.held(out))
        return out

    def _matrices(self, a: DeviceArray, b: DeviceArray, out: Any) -> DeviceArray:
        for operand in (a._held, b._held):
            if not operand.flags.c_contiguous and not operand.flags.f_contiguous:
                self._hidden_copy(operand)
        if out is None:
            return self.made("dot", np.asarray(np.matmul(a._held, b._held)))
        np.matmul(a._held, b._held, out=out._held)
        return self.launched("dot", out)

    def _as_strided(self, x: DeviceArray, shape: Any = None, strides: Any = None) -> DeviceArray:
        return DeviceArray(np.lib.stride_tricks.as_strided(self.held(x), shape, strides), self)

    def ufunc(self, name: str, *operands: Any, out: Any = None, dtype: Any = None) -> DeviceArray:
        """Launch an elementwise function."""
        given = [self.operand(operand) for operand in operands]
        keywords = {} if dtype is None else {"dtype": dtype}
        if out is None:
            return self.made(name, np.asarray(getattr(np, name)(*given, **keywords)))
        self.set_apart(operands, out)
        getattr(np, name)(*given, out=self.held(out), **keywords)
        return self.launched(name, out)

    def set_apart(self, operands: Iterable[Any], out: DeviceArray) -> None:
        """Copy, as CuPy does, each operand that is not `out` itself and may lie where that lies."""
        place = self.held(out)
        for operand in operands:
            if isinstance(operand, DeviceArray) and operand is not out and np.may_share_memory(operand._held, place):
                self._hidden_copy(operand._held)

    def _named(self, name: str) -> Callable[..., DeviceArray]:
        def call(*operands: Any, out: Any = None, dtype: Any = None) -> DeviceArray:
            return self.ufunc(name, *operands, out=out, dtype=dtype)

        return call

    # What is counted, and what is refused.

    def held(self, array: Any) -> np.ndarray:
        """Return what an array on the device holds; refuse all else."""
        if not isinstance(array, DeviceArray):
            raise TypeError(f"Unsupported type {type(array)}")
        return array._held

    def operand(self, value: Any) -> Any:
        """Return what an operand holds: an array on the device, or a scalar, which goes with the launch."""
        return value if isinstance(value, SCALARS) else self.held(value)

    def index(self, key: Any) -> tuple[Any, bool]:
        """Return an index as NumPy takes it, and of how many arrays; refuse lists and NumPy arrays.

        Several arrays are first made one, with a launch and an array for each. All else is a view, if only of a number.
        """
        parts = key if isinstance(key, tuple) else (key,)
        for part in parts:
            if part is not None and part is not ... and not isinstance(part, int | slice | DeviceArray):
                raise TypeError(f"Unsupported type {type(part)} as an index")
        arrays = [part._held for part in parts if isinstance(part, DeviceArray)]
        for array in arrays if len(arrays) > 1 else ():
            self._hidden_copy(array)
        found = tuple(part._held if isinstance(part, DeviceArray) else part for part in parts)
        if not arrays and all(part is not ... for part in parts):
            found = (*found, ...)
        return found, len(arrays)

    def made(self, name: str, held: np.ndarray) -> DeviceArray:
        """Count a launch that allocates its result."""
        return self.launched(name, self._allocated(held))

    def _allocated(self, held: np.ndarray) -> DeviceArray:
        if held.dtype.char not in DTYPES or not held.dtype.isnative:
            raise ValueError(f"Unsupported dtype {held.dtype}")
        self.counts.allocations += 1
        if self.memory is not None:
            self.memory -= held.nbytes
            if self.memory < 0:
                raise OutOfMemoryError(f"Out of memory allocating {held.nbytes:,} bytes.")
        return DeviceArray(held, self)

    def launched(self, name: str, array: DeviceArray) -> DeviceArray:
        self.launch(name, array._held)
        return array

    def launch(self, name: str, result: np.ndarray) -> None:
        if result.size:  # of nothing, nothing is launched
            self.counts.launches += 1
            self.counts.sequence.append((name, result.shape, result.ctypes.data))

    def _hidden_copy(self, held: np.ndarray) -> None:
        self.counts.allocations += 1
        self.launch("hidden copy", held)

    def _written(self, name: str, held: np.ndarray, out: Any) -> DeviceArray:
        if out is None:
            return self.made(name, held)
        if out.shape != held.shape or out.dtype != held.dtype:
            raise TypeError(f"{name}: what comes out is {held.shape} {held.dtype}, not {out.shape} {out.dtype}")
        self.held(out)[...] = held
        return self.launched(name, out)

    def _uploaded(self, held: np.ndarray) -> DeviceArray:
        self.counts.uploads += 1
        return self._allocated(held)
