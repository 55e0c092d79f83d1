"""The output layer of the published LeNet-5: distances from drawings of the digits."""

from typing import Any

import numpy as np

from lenet.arrays.backend import Array, Backend
from lenet.common.validation import validated
from lenet.layers.base import Layer, Shape, ShapeError

DIGITS = """\
.#####. ..###.. .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
##...## .####.. ##...## ##...## ...###. ##..... .##.... ##...## ##...## ##...##
##...## ##.##.. ##...## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##..### ...##.. .....## .....## ##..##. ######. ##..... ....##. .##.##. ##...##
##.#### ...##.. ....##. ..####. ##..##. ##...## ######. ...##.. ..###.. .######
####.## ...##.. ...##.. .....## ####### .....## ##...## ...##.. .##.##. .....##
###..## ...##.. ..##... .....## ####### .....## ##...## ..##... ##...## .....##
##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... ##...## ....##. ##...## ##...## .##.... ##...## ....##.
##...## ...##.. ##...## ##...## ....##. ##...## ##...## .##.... ##...## ...##..
.#####. ####### ####### .#####. ....##. .#####. .#####. .##.... .#####. .###...
"""
"""The ten digits on 7 columns by 12 rows, drawn for this project: the paper shows its own as a picture, figure 3."""
PIXELS = 7 * 12


def targets() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the drawings as +1 (ink) and -1, `(10, 84)`, row by row."""
    lines = DIGITS.splitlines()
    drawings = [[line[8 * digit : 8 * digit + 7].ljust(7, ".") for line in lines] for digit in range(10)]
    return np.array([[1.0 if cell == "#" else -1.0 for row in drawing for cell in row] for drawing in drawings])


class RBF(Layer):
    """`y[n, i] = -Σ_j (x[n, j] - target[i, j])²` for `(N, 84)`: the nearest drawing has the largest output.

    LeCun et al. 1998, equation 7, with its sign turned, so that the largest output is the prediction as everywhere.
    The targets are fixed, and no parameters.
    """

    @validated
    def __init__(self, name: str = "") -> None:
        self.name = name

    def setup(self, shape: Shape) -> Shape:
        if shape != (PIXELS,):
            raise ShapeError(f"layer `{self.name}` needs {PIXELS} flat features, a drawing's, and is given {shape}.")
        return (10,)

    def multiply_accumulates(self) -> int:
        return 10 * PIXELS

    def operations(self, shape: Shape) -> int:
        return 10 * PIXELS * 3  # a difference, its square, and its subtraction from the sum

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self.targets = backend.array(targets(), backend.dtype)

    def forward(self, x: Array) -> Array:
        xp, array = self.backend.xp, self.workspace.array
        self._x, samples = x, len(x)
        y = xp.dot(x, self.targets.T, out=array("y", (samples, len(self.targets))))
        y *= 2
        y -= PIXELS  # |target|²
        squares = xp.multiply(x, x, out=self.workspace.like("products", x))
        y -= squares.sum(axis=1, keepdims=True, out=array("length", (samples, 1)))
        return y

    def backward(self, dy: Array) -> Array:
        xp, array = self.backend.xp, self.workspace.array
        dx = xp.dot(dy, self.targets, out=array("dx", (len(dy), PIXELS)))
        total = dy.sum(axis=1, keepdims=True, out=array("length", (len(dy), 1)))
        dx -= xp.multiply(self._x, total, out=self.workspace.like("products", self._x))
        dx *= 2
        return dx
