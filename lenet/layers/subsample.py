"""Trainable subsampling, as in the published LeNet-5."""

from collections.abc import Mapping

from lenet.arrays.backend import Array, Backend
from lenet.arrays.memory import Views
from lenet.layers.base import ParameterSpec, Shape
from lenet.layers.pool import AvgPool2d


class Subsample2d(AvgPool2d):
    """`y = coefficient · (sum over the window) + bias`, with a coefficient and a bias for each channel.

    LeCun et al. 1998, section II.B: the sum of 2×2 neighbours, without overlap; a squashing function follows it.
    """

    keeps_output = False

    def setup(self, shape: Shape) -> Shape:
        self._channels = shape[0]
        return super().setup(shape)

    def operations(self, shape: Shape) -> int:
        return self._windows * (self._window_size + 1)  # sums of one addition less, the coefficient and the bias

    def parameter_specs(self) -> Mapping[str, ParameterSpec]:
        return {
            "weight": ParameterSpec((self._channels,), fans=(self._window_size, 1)),
            "bias": ParameterSpec((self._channels,)),
        }

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self._outputs = Views(lambda sums: self.workspace.like("y", sums))
        self._products = Views(lambda dy: self.workspace.like("products", dy))
        self._weight, self._bias = (parameters[name].reshape(1, -1, 1, 1) for name in ("weight", "bias"))

    def forward(self, x: Array) -> Array:
        xp = self.backend.xp
        self._sums = super().forward(x)  # a buffer of the pool's own, which holds until it is called again
        self._sums *= self._window_size
        y = xp.multiply(self._sums, self._weight, out=self._outputs.of(self._sums))
        y += self._bias
        return y

    def backward(self, dy: Array) -> Array:
        xp = self.backend.xp
        products = xp.multiply(dy, self._sums, out=self._products.of(dy))
        products.sum(axis=(0, 2, 3), out=self.gradients["weight"])
        dy.sum(axis=(0, 2, 3), out=self.gradients["bias"])
        dy *= self._weight
        dy *= self._window_size
        return super().backward(dy)
