"""How arrays lie in memory, and the buffers they lie in.

The logical shape of images is `(N, C, H, W)` everywhere; in memory they lie as `(H, C, W, N)`, batch innermost. A row
of an image, all its channels and the whole sub-batch, is then one contiguous run, so that windows, pools and pads
become long copies, and a convolution reads its kernel rows without unfolding them. `rows_first` and `logical` go
between the two views without copying; code is right for any memory order it is given, and fast for this one.
"""

from dataclasses import dataclass, field
from typing import Any

from lenet.backend import Array, Backend


def rows_first(images: Array) -> Array:
    """View `(N, C, H, W)` as `(H, C, W, N)`."""
    return images.transpose(2, 1, 3, 0)


def logical(rows: Array) -> Array:
    """View `(H, C, W, N)` as `(N, C, H, W)`."""
    return rows.transpose(3, 1, 0, 2)


@dataclass
class Workspace:
    """Buffers that are written again and again: one for each name and shape, zeroed when it is first made."""

    backend: Backend
    _buffers: dict[tuple[Any, ...], Array] = field(default_factory=dict)

    def array(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> Array:
        key = (name, shape)
        if (buffer := self._buffers.get(key)) is None:
            buffer = self._buffers[key] = self.backend.xp.zeros(shape, dtype or self.backend.dtype)
        return buffer
