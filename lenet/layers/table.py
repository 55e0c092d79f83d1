"""A convolution in which each output map sees only some of the input maps."""

from collections.abc import Mapping

import numpy as np

from lenet.arrays.backend import Array, Backend
from lenet.common.validation import validated
from lenet.layers.base import ParameterSpec, Shape, ShapeError
from lenet.layers.conv import Conv2d
from lenet.layers.windows import Padding, Pair


class TableConv2d(Conv2d):
    """`Conv2d` whose output map `o` is connected to the input maps `connections[o]` alone (counted from 0).

    `weight` holds a kernel `(KH, KW)` for each connection, output by output: `(connections, KH, KW)`. LeCun et al.
    1998, table I. Raises ValueError if an output map has no connection, or one twice.
    """

    @validated
    def __init__(
        self,
        connections: tuple[tuple[int, ...], ...],
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        name: str = "",
    ) -> None:
        super().__init__(len(connections), kernel_size, stride, padding, name)
        for output, maps in enumerate(connections):
            if not maps or len(set(maps)) != len(maps):
                raise ValueError(f"connections[{output}] is {list(maps)}; accepted: one or more input maps that differ")
        self.connections = connections

    def setup(self, shape: Shape) -> Shape:
        result = super().setup(shape)
        outside = sorted({each for maps in self.connections for each in maps if not 0 <= each < self.in_channels})
        if outside:
            raise ShapeError(
                f"layer `{self.name}` connects input map {outside[0]}, and is given {self.in_channels}: "
                f"accepted are 0 to {self.in_channels - 1}."
            )
        return result

    def parameter_specs(self) -> Mapping[str, ParameterSpec]:
        window = self.kernel_size[0] * self.kernel_size[1]
        outputs, inputs = self._places()
        seen, used = np.bincount(outputs), np.bincount(inputs, minlength=self.in_channels)
        fans = tuple((count[places] * window).reshape(-1, 1, 1) for count, places in ((seen, outputs), (used, inputs)))
        return {
            "weight": ParameterSpec((len(outputs), *self.kernel_size), (fans[0], fans[1])),
            "bias": ParameterSpec((self.channels,)),
        }

    def multiply_accumulates(self) -> int:
        window = self.kernel_size[0] * self.kernel_size[1]
        return len(self._places()[0]) * window * self.rows.count * self.columns.count

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        spec = Conv2d.parameter_specs(self)["weight"]
        self._whole, self._whole_gradient = backend.zeros(spec.size), backend.zeros(spec.size)
        super().bind(
            backend,
            parameters | {"weight": spec.view(self._whole)},
            gradients | {"weight": spec.view(self._whole_gradient)},
        )
        self.parameters, self.gradients = parameters, gradients
        elements = spec.view(np.arange(spec.size))
        self._at = backend.array(elements[self._places()])  # of `weight`'s shape

    def forward(self, x: Array) -> Array:
        self._whole[self._at] = self.parameters["weight"]
        return super().forward(x)

    def backward(self, dy: Array) -> Array | None:
        dx = super().backward(dy)
        self.backend.gather(self._whole_gradient, self._at, out=self.gradients["weight"])
        return dx

    def _places(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], ...]:
        """Return each connection's output map, and its input map."""
        pairs = [(output, each) for output, maps in enumerate(self.connections) for each in maps]
        return tuple(np.array(column, np.intp) for column in zip(*pairs, strict=True))
