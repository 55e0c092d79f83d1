"""The output layer of the published LeNet-5: distances from drawings of the digits."""

from typing import Any

import numpy as np

from lenet.backend import Array, Backend
from lenet.layers.base import Layer, Shape, ShapeError
from lenet.validation import validated

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

    def bind(self, backend: Backend, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(backend, parameters, gradients)
        self.targets = backend.array(targets(), backend.dtype)

    def forward(self, x: Array) -> Array:
        xp = self.backend.xp
        self._x = x
        y = xp.dot(x, self.targets.T)
        y *= 2
        y -= PIXELS  # |target|²
        y -= xp.multiply(x, x).sum(axis=1, keepdims=True)
        return y

    def backward(self, dy: Array) -> Array:
        xp = self.backend.xp
        dx = xp.dot(dy, self.targets)
        dx -= self._x * dy.sum(axis=1, keepdims=True)
        dx *= 2
        return dx
