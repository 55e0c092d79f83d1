"""The first half of a convolution: images unfolded along the columns of the kernel."""

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Views, rows_first
from lenet.layers.windows import Windows


class Unfolding:
    """Puts, for each column of the kernel, the part of the images that it meets beside the others'.

    `(N, C, H, W)` becomes `rows`, `(H + 2·PH, C, KW, columns, N)`: im2col (Chellapilla, Puri & Simard 2006) along one
    axis of two, so the copy is `KH` times smaller; and it is a single copy, of an overlapping view.
    """

    def __init__(self, rows: Windows, columns: Windows, channels: int, batch: int, backend: Backend) -> None:
        self._strided = backend.xp.lib.stride_tricks.as_strided
        self._columns = columns
        top, left = rows.padding, columns.padding
        shape = (rows.size + 2 * top, channels, columns.kernel, columns.count, batch)
        self.rows = backend.zeros(shape)  # its padding stays zero
        self._target = self.rows[top : top + rows.size]
        padded = backend.zeros((rows.size, channels, columns.size + 2 * left, batch))
        self._middle = padded[:, :, left : left + columns.size]
        self._padded = self._shifted(padded)
        self._views = Views(self._view)

    def run(self, x: Array) -> Array:
        """Unfold images `(N, C, H, W)` and return `rows`."""
        rows, source = self._views.of(x)
        if source is None:
            self._middle[...] = rows
            source = self._padded
        self._target[...] = source
        return self.rows

    def _view(self, x: Array) -> tuple[Array, Array | None]:
        rows = rows_first(x)
        return rows, None if self._columns.padding else self._shifted(rows)

    def _shifted(self, rows: Array) -> Array:
        """View rows `(H, C, W, N)` as `(H, C, KW, columns, N)`: a copy for each kernel column, shifted by one."""
        row, channel, place, sample = rows.strides
        return self._strided(
            rows,
            shape=(*rows.shape[:2], self._columns.kernel, self._columns.count, rows.shape[3]),
            strides=(row, channel, place, self._columns.stride * place, sample),
        )
