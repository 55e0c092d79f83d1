"""How arrays lie in memory, and the buffers they lie in.

The logical shape of images is `(N, C, H, W)` everywhere; in memory they lie as `(H, C, W, N)`, batch innermost. A row
of an image, all its channels and the whole sub-batch, is then one contiguous run, so that windows, pools and pads
become long copies, and a convolution reads its kernel rows without unfolding them. `rows_first` and `logical` go
between the two views without copying; code is right for any memory order it is given, and fast for this one.

A layer hands out the same array objects step after step, so what is derived from them is derived once: see `Views`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from lenet.arrays.backend import Array, Backend

LINE = 8192
"""Elements of the longest line: a constant that is added to every line then stays in the first-level cache."""

T = TypeVar("T")


def rows_first(images: Array) -> Array:
    """View `(N, C, H, W)` as `(H, C, W, N)`."""
    return images.transpose(2, 1, 3, 0)


def logical(rows: Array) -> Array:
    """View `(H, C, W, N)` as `(N, C, H, W)`."""
    return rows.transpose(3, 1, 0, 2)


def memory_order(array: Array) -> list[int]:
    """Return the axes of `array` as they lie in memory, outermost first, and last those of length one."""
    return sorted(range(array.ndim), key=lambda axis: (array.shape[axis] == 1, -array.strides[axis]))


def stored(shape: Sequence[int], order: Sequence[int], backend: Backend, dtype: Any = None) -> Array:
    """Return zeros of a shape that lie in memory in the order of axes `order`, outermost first."""
    zeros = backend.zeros(tuple(shape[axis] for axis in order), dtype)
    return zeros.transpose([order.index(axis) for axis in range(len(shape))])


def lie_alike(a: Array, b: Array) -> bool:
    """Say whether two arrays of one shape lie in memory in the same way; an axis of length one may lie anywhere."""
    steps = zip(a.shape, a.strides, b.strides, strict=True)
    return all(size == 1 or mine == other for size, mine, other in steps)


def lines(array: Array) -> Array:
    """View memory that an array fills without gaps, in whatever order of axes, as `(lines, elements)`.

    A line is a number of its inner axes. NumPy treats each as one run, and the operand that all of them share, such as
    a row of zeros, stays in the cache: that is two or three times as fast as broadcasting a scalar.
    """
    stored = array.transpose(memory_order(array))
    length = 1
    for size in reversed(stored.shape):
        if length * size > LINE:
            break
        length *= size
    return stored.reshape(-1, max(1, length))


class Views(Generic[T]):
    """What is derived from an array, such as views of it, once for as long as the same array object comes."""

    def __init__(self, derive: Callable[[Array], T]) -> None:
        self._derive = derive
        self._array: Array = None
        self._derived: T

    def of(self, array: Array) -> T:
        if array is not self._array:
            self._derived = self._derive(array)
            self._array = array
        return self._derived


class Settled:
    """Gives arrays in one memory order: themselves where they lie so without gaps, else copied to a buffer.

    `order` holds the axes from the outermost in; the result's axes are in that order.
    """

    def __init__(self, order: tuple[int, ...], backend: Backend) -> None:
        self._views = Views(lambda array: array.transpose(order))
        self._backend = backend
        self._buffer: Array = None

    def of(self, array: Array) -> Array:
        stored = self._views.of(array)
        if stored.flags.c_contiguous:
            return stored
        if self._buffer is None or self._buffer.shape != stored.shape:
            self._buffer = self._backend.zeros(stored.shape)
        self._buffer[...] = stored
        return self._buffer


class Workspace:
    """Buffers that are written again and again, each made when it is first asked for."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._kept: dict[tuple[Any, ...], Any] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """Return the buffer of that name and shape; it was zero when it was made."""
        return self.keep(name, shape, lambda: self.backend.zeros(shape, dtype or self.backend.dtype))

    def like(self, name: str, array: Array) -> Array:
        """Return the buffer of that name of the shape and memory order of `array`, without gaps."""
        order = memory_order(array)
        stored = self.array(name, tuple(array.shape[axis] for axis in order))
        return stored.transpose([order.index(axis) for axis in range(array.ndim)])

    def keep(self, name: str, key: Any, make: Callable[[], T]) -> T:
        """Return what `make` returned when that name and key were first asked for."""
        if (name, key) not in self._kept:
            self._kept[name, key] = make()
        return self._kept[name, key]  # type: ignore[no-any-return]
