"""The way back through a convolution: the gradient of its input."""

from typing import Any

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Views, logical
from lenet.layers.windows import Windows


class InputGradient:
    """`dx` of a convolution from `dy` `(rows, O, columns, N)` and `kernel` `(KH, C·KW, O)`.

    An input row meets some rows of the kernel, each with another output row, and those lie one after another in `dy`:
    one product sums over outputs and kernel rows. Input rows that meet the same rows of the kernel are a stack of
    such products on overlapping views. Only the kernel's columns are then left to be folded back.
    """

    def __init__(
        self, rows: Windows, columns: Windows, kernel: Array, channels: int, batch: int, backend: Backend
    ) -> None:
        xp = backend.xp
        self._xp, self._rows = xp, rows
        taps, self._outputs = kernel.shape[1:]
        self._run = columns.count * batch
        gap = columns.kernel - 1 - columns.padding
        places = columns.count + max(gap, 0)  # the last ones stay zero
        unfolded = backend.zeros((rows.size, channels, columns.kernel, places, batch))
        self._unfolded = unfolded.reshape(rows.size, taps, places * batch)[:, :, : self._run]
        self._dx = backend.zeros((rows.size, channels, columns.size, batch))
        self._images = logical(self._dx)
        self._skewed = _skewed(unfolded, columns, xp) if columns.stride == 1 and gap >= 0 else None
        self._folding = [
            (self._dx[:, :, inputs], unfolded[:, :, offset, positions])
            for offset, (positions, inputs) in enumerate(map(columns.reach, range(columns.kernel)))
        ]
        # An input row meets kernel rows that are `SH` apart, and the last of them first.
        phases = [kernel[phase :: rows.stride][::-1] for phase in range(min(rows.stride, rows.kernel))]
        turned = [backend.zeros((taps, len(phase), self._outputs)) for phase in phases]
        self._turning = [(target, phase.transpose(1, 0, 2)) for target, phase in zip(turned, phases, strict=True)]
        self._kernels = [matrix.reshape(taps, -1) for matrix in turned]
        self._products = Views(self._prepare)

    def run(self, dy: Array) -> Array:
        """Return `dx` `(N, C, H, W)` from a `dy` without gaps."""
        for target, phase in self._turning:
            target[...] = phase
        for kernel, stack, target in self._products.of(dy):
            self._xp.matmul(kernel, stack, out=target)
        if self._skewed is not None:
            self._skewed.sum(axis=2, out=self._dx)
        else:
            self._dx.fill(0)
            for target, source in self._folding:
                target += source
        return self._images

    def _prepare(self, dy: Array) -> list[tuple[Array, Array, Array]]:
        """Return kernel, stack of output rows, and where to, of each product."""
        products = []
        element = dy.itemsize
        output = self._run * element
        for meeting in self._rows.meetings():
            phase, last = meeting.kernel_row % self._rows.stride, meeting.kernel_row // self._rows.stride
            kernel = self._kernels[phase]
            begin = (kernel.shape[1] // self._outputs - 1 - last) * self._outputs
            height = meeting.count * self._outputs
            stack = self._xp.lib.stride_tricks.as_strided(
                dy[meeting.position :],
                shape=(meeting.inputs, height, self._run),
                strides=(self._outputs * output, output, element),
            )
            target = self._unfolded[meeting.input :: self._rows.stride][: meeting.inputs]
            products.append((kernel[:, begin : begin + height], stack, target))
        return products


def _skewed(unfolded: Array, columns: Windows, xp: Any) -> Array:
    """View `(H, C, KW, places, N)`, its last places zero, so that one axis holds what each pixel is owed.

    Column `q` of the kernel owes pixel `j` what stands at place `j - q + PW`; stepping from one column to the next
    goes one place less far. What lies before the first place is the zero end of the column before.
    """
    row, channel, column, place, sample = unfolded.strides
    height, channels, kernel, _, batch = unfolded.shape
    return xp.lib.stride_tricks.as_strided(
        unfolded[:, :, :, columns.padding :],
        shape=(height, channels, kernel, columns.size, batch),
        strides=(row, channel, column - place, place, sample),
    )
