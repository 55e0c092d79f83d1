"""Images on the device, gathered into batches."""

import numpy as np
import numpy.typing as npt

from lenet.arrays.backend import Array, Backend
from lenet.arrays.draws import Pass
from lenet.arrays.memory import Workspace, logical
from lenet.data.augmentation import Distortion


class ImageTable:
    """Images `(N, C, H, W)` uint8 and labels `(N,)`, uploaded once; a batch is gathered and scaled on the device.

    The network's input is `(pixel - shift) / scale`.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.integer],
        shift: float,
        scale: float,
        backend: Backend,
    ) -> None:
        count, self.channels, self.height, self.width = images.shape
        # One image a row, pixels in the order in which the layers keep them.
        self._pixels = backend.array(images.transpose(0, 2, 1, 3).reshape(count, -1))
        self.labels = backend.array(labels)
        self.shift = shift
        self.scale = scale

    def __len__(self) -> int:
        return len(self._pixels)

    def batch(
        self, indices: Array, workspace: Workspace, distortion: Distortion | None = None, now: Pass | None = None
    ) -> tuple[Array, Array]:
        """Return the images at `indices` `(n,)` as network input `(n, C, H, W)`, and their labels `(n,)`, in buffers.

        They are distorted if there is a `distortion`, as is drawn for the samples that `now` tells of.
        """
        b = workspace.keep("batch", len(indices), lambda: _Batch(self, len(indices), workspace.backend))
        workspace.backend.gather(self._pixels, indices, out=b.pixels)
        workspace.backend.gather(self.labels, indices, out=b.labels)
        if distortion and now:
            distortion.apply(b.pixels, now, b.scaled, workspace)
            b.scaled -= self.shift
            b.scaled *= 1 / self.scale
            return b.images, b.labels
        # By default, NumPy would subtract a number from integers in float64.
        workspace.backend.xp.subtract(b.pixels, self.shift, out=b.shifted, dtype=b.shifted.dtype)
        workspace.backend.xp.multiply(b.shifted.T, 1 / self.scale, out=b.scaled)
        return b.images, b.labels


class _Batch:
    """The buffers of a batch of `size` images on their way from the table to the network."""

    def __init__(self, table: ImageTable, size: int, backend: Backend) -> None:
        values = table.height * table.channels * table.width
        self.pixels = backend.zeros((size, values), np.uint8)
        self.labels = backend.zeros(size, table.labels.dtype)
        self.shifted = backend.zeros((size, values))
        self.scaled = backend.zeros((values, size))
        self.images = logical(self.scaled.reshape(table.height, table.channels, table.width, size))
