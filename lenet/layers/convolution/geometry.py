"""What a convolution is, whatever way it is computed."""

from dataclasses import dataclass

from lenet.arrays.backend import Array
from lenet.layers.windows import Windows


@dataclass(frozen=True)
class Geometry:
    """Windows over rows and columns, and the parameters with their gradients.

    `kernel` is `(KH, C, KW, O)` and `bias` `(O,)`; all four arrays are views of the network's own.
    """

    rows: Windows
    columns: Windows
    kernel: Array
    bias: Array
    kernel_gradient: Array
    bias_gradient: Array

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return int(self.kernel.shape[1])

    @property
    def outputs(self) -> int:
        """Channels of the output."""
        return int(self.kernel.shape[3])
