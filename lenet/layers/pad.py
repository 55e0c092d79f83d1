"""Padding as a layer of its own."""

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import logical, rows_first
from lenet.common.validation import validated
from lenet.layers.base import Layer, Shape, image_shape
from lenet.layers.windows import Padding, pair


class Pad2d(Layer):
    """Put `padding` rows and columns of `value` around images `(N, C, H, W)`."""

    @validated
    def __init__(self, padding: Padding, value: float = 0.0, name: str = "") -> None:
        self.name = name
        self.padding = pair(padding)
        self.value = value

    def setup(self, shape: Shape) -> Shape:
        self._shape = channels, height, width = image_shape(self, shape)
        return (channels, height + 2 * self.padding[0], width + 2 * self.padding[1])

    def operations(self, shape: Shape) -> int:
        return 0

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self._buffers: dict[int, tuple[Array, Array]] = {}

    def forward(self, x: Array) -> Array:
        inside, y = self._buffers.get(len(x)) or self._prepare(len(x))
        inside[...] = rows_first(x)
        return y

    def backward(self, dy: Array) -> Array:
        return dy[self._inner]

    @property
    def _inner(self) -> tuple[slice, ...]:
        """Where the image lies in `(N, C, H, W)`."""
        (down, right), (_, height, width) = self.padding, self._shape
        return (slice(None), slice(None), slice(down, down + height), slice(right, right + width))

    def _prepare(self, batch: int) -> tuple[Array, Array]:
        channels, height, width = self.setup(self._shape)
        rows = self.backend.zeros((height, channels, width, batch))
        rows.fill(self.value)
        y = logical(rows)
        self._buffers[batch] = rows_first(y[self._inner]), y
        return self._buffers[batch]
