"""Arrays that refuse what CuPy's arrays refuse, and count what is done to them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tests.device.standin.module import StandIn


@dataclass
class Counts:
    """What was done on the device since the last `clear`."""

    launches: int = 0
    allocations: int = 0
    uploads: int = 0
    reads: int = 0
    sequence: list[tuple[str, tuple[int, ...], int]] = field(default_factory=list)
    """Each launch in order: what, and the shape and address of what came of it."""

    def clear(self) -> None:
        self.launches = self.allocations = self.uploads = self.reads = 0
        self.sequence = []


class DeviceArray:
    """An array on the device. What it holds can be got at by `get`, `item` and conversions to a number alone."""

    __array_ufunc__ = None  # so that NumPy's operators leave it to ours, which refuse

    def __init__(self, held: np.ndarray, device: "StandIn") -> None:
        self._held = held
        self._device = device

    def __array__(self, *args: Any, **keywords: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_function__(self, function: Any, *args: Any) -> Any:
        raise TypeError(f"{function.__name__} of NumPy is given an array on the device")

    def __iter__(self) -> Iterator["DeviceArray"]:
        if self.ndim < 2:
            raise TypeError("a loop over a device array of one axis goes element by element")
        return (self[place] for place in range(len(self)))

    def __len__(self) -> int:
        return len(self._held)

    shape = property(lambda self: self._held.shape)
    dtype = property(lambda self: self._held.dtype)
    ndim = property(lambda self: self._held.ndim)
    size = property(lambda self: self._held.size)
    itemsize = property(lambda self: self._held.itemsize)
    nbytes = property(lambda self: self._held.nbytes)
    strides = property(lambda self: self._held.strides)

    @property
    def flags(self) -> SimpleNamespace:
        """CuPy's flags know nothing of `writeable`."""
        flags = self._held.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata)

    # What is read makes the host wait.

    def get(self) -> np.ndarray:
        self._device.counts.reads += 1
        return self._held.copy()

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())

    # Views cost nothing.

    @property
    def T(self) -> "DeviceArray":  # noqa: N802
        return self._view(self._held.T)

    def transpose(self, *axes: Any) -> "DeviceArray":
        return self._view(self._held.transpose(*axes))

    def view(self, dtype: Any = None) -> "DeviceArray":
        return self._view(self._held.view(dtype) if dtype else self._held.view())

    def reshape(self, *shape: Any) -> "DeviceArray":
        return self._viewed_or_copied("reshape", self._held.reshape(*shape))

    def ravel(self) -> "DeviceArray":
        return self._viewed_or_copied("ravel", self._held.ravel())

    def __getitem__(self, key: Any) -> "DeviceArray":
        key, arrays = self._device.index(key)
        found = self._held[key]
        if not arrays:
            return self._view(found)
        if any(isinstance(part, np.ndarray) and part.dtype == bool for part in key):
            self._device.counts.reads += 1  # the host has to know how many there are
        return self._device.made("gather", found)

    # What computes is launched.

    def __setitem__(self, key: Any, value: Any) -> None:
        key, arrays = self._device.index(key)
        place = self._held if arrays else self._held[key]
        if isinstance(value, DeviceArray) and lies_at(value._held, place):
            return  # `a[i] += 1` ends with an array being put where it is
        self._device.set_apart([value], self._view(place))
        self._held[key] = self._device.operand(value)
        self._device.launch("scatter" if arrays else "copy", place)

    def fill(self, value: Any) -> None:
        self._held.fill(self._device.operand(value))
        self._device.launch("fill", self._held)

    def copy(self, order: Any = "C") -> "DeviceArray":
        return self._device.made("copy", self._held.copy(order))

    def astype(self, dtype: Any) -> "DeviceArray":
        return self._device.made("astype", self._held.astype(dtype, order="K"))

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> "DeviceArray":
        return self._reduce("sum", out, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> "DeviceArray":
        return self._reduce("mean", out, axis=axis, dtype=dtype, keepdims=keepdims)

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> "DeviceArray":
        return self._reduce("max", out, axis=axis, keepdims=keepdims)

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> "DeviceArray":
        return self._reduce("all", out, axis=axis, keepdims=keepdims)

    def argmax(self, axis: Any = None, out: Any = None, dtype: Any = None, keepdims: bool = False) -> "DeviceArray":
        assert dtype is None
        return self._reduce("argmax", out, axis=axis, keepdims=keepdims)

    def _reduce(self, name: str, out: Any, **keywords: Any) -> "DeviceArray":
        device = self._device
        if out is not None:
            device.set_apart([self], out)
            getattr(self._held, name)(out=device.held(out), **keywords)
            return device.launched(name, out)
        return device.made(name, np.asarray(getattr(self._held, name)(**keywords)))

    def _view(self, held: np.ndarray) -> "DeviceArray":
        return DeviceArray(held, self._device)

    def _viewed_or_copied(self, name: str, held: np.ndarray) -> "DeviceArray":
        if not self.size or np.may_share_memory(held, self._held):
            return self._view(held)
        return self._device.made(name, held)


def lies_at(one: np.ndarray, other: np.ndarray) -> bool:
    """Say whether two arrays are the same elements."""
    return (one.ctypes.data, one.shape, one.strides) == (other.ctypes.data, other.shape, other.strides)


def _operators() -> None:
    """Give device arrays Python's operators, each a launch; those in place allocate nothing."""
    symbols = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "xor": "bitwise_xor"}
    symbols |= {"and": "bitwise_and", "rshift": "right_shift"}
    for symbol, name in symbols.items():

        def forth(self: DeviceArray, other: Any, name: str = name) -> DeviceArray:
            return self._device.ufunc(name, self, other)

        def back(self: DeviceArray, other: Any, name: str = name) -> DeviceArray:
            return self._device.ufunc(name, other, self)

        def within(self: DeviceArray, other: Any, name: str = name) -> DeviceArray:
            return self._device.ufunc(name, self, other, out=self)

        setattr(DeviceArray, f"__{symbol}__", forth)
        setattr(DeviceArray, f"__r{symbol}__", back)
        setattr(DeviceArray, f"__i{symbol}__", within)
    for symbol, name in {"eq": "equal", "ne": "not_equal", "lt": "less", "gt": "greater"}.items():

        def compared(self: DeviceArray, other: Any, name: str = name) -> DeviceArray:
            return self._device.ufunc(name, self, other)

        setattr(DeviceArray, f"__{symbol}__", compared)
    for symbol, name in {"neg": "negative", "abs": "absolute"}.items():

        def alone(self: DeviceArray, name: str = name) -> DeviceArray:
            return self._device.ufunc(name, self)

        setattr(DeviceArray, f"__{symbol}__", alone)


_operators()
