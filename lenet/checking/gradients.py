"""Whether a gradient is right: told by finite differences of what it is the gradient of, in float64, on the CPU.

A slope is taken on either side, `(f(x + h) - f(x)) / h` ahead and `(f(x) - f(x - h)) / h` behind; their mean is the
central difference. Where a function has a kink the two differ, and every slope between them is right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Index = tuple[int, ...]

STEP = 1e-6
SINGLES = 64
"""Elements of an array that are looked at one by one."""
DIRECTIONS = 2
"""Random directions in which all elements of a larger array are looked at together."""
SUSPECTS = 8
"""Elements that are looked for where the slope along a direction is not the gradient's."""
PRECISION = 1e-9
"""How near it has to be to the gradient's, relative to the gradient's length."""
KINK = 1e-6
"""Difference of the slopes on both sides, relative to the largest, above which there is a kink."""
LEAST = 1e-5
"""The relative error that rounding alone may come to, where all of a gradient is near zero."""
ROUNDING = 32 * float(np.finfo(np.float64).eps)
"""What the rounding of a function's values may come to, relative to them."""


@dataclass(frozen=True)
class Agreement:
    """How a gradient agrees with finite differences.

    `error` is the largest distance of an element that was looked at, relative to the largest element of all. At its
    `place` the gradient is `given` and the central difference `found`.
    """

    error: float
    place: Index
    given: float
    found: float


class Slopes:
    """The slopes of `(evaluate() · weights)` summed, a function of `array`, which is changed in place and put back."""

    def __init__(self, evaluate: Callable[[], Any], array: Floats, weights: Any = 1.0) -> None:
        self._evaluate, self._array, self._weights = evaluate, array, weights
        self._here = np.array(evaluate())
        self.step = STEP * max(1.0, float(np.abs(array).mean()) if array.size else 1.0)
        self.noise = ROUNDING * float(np.linalg.norm(self._here * weights)) / self.step
        """What of a slope may be rounding."""

    def along(self, where: Any, direction: Any) -> tuple[float, float]:
        """Return the slopes behind and ahead as the elements at the index `where` move along `direction`."""
        before = self._array[where].copy()
        self._array[where] = before + self.step * direction
        ahead = np.array(self._evaluate())
        self._array[where] = before - self.step * direction
        behind = np.array(self._evaluate())
        self._array[where] = before
        # Differences come first: then what has not changed adds no rounding.
        pairs = ((self._here, behind), (ahead, self._here))
        slopes = [float(((later - earlier) * self._weights).sum()) / self.step for later, earlier in pairs]
        return slopes[0], slopes[1]


def finite_difference(evaluate: Callable[[], Any], array: Floats, weights: Any = 1.0) -> Floats:
    """Return the gradient of `(evaluate() · weights)` summed with respect to `array`, by central differences."""
    slopes = Slopes(evaluate, array, weights)
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        gradient[index] = sum(slopes.along(index, 1.0)) / 2
    return gradient


def agreement(
    slopes: Slopes,
    gradient: Floats,
    generator: np.random.Generator,
    singles: int = SINGLES,
    directions: int = DIRECTIONS,
) -> Agreement:
    """Compare a gradient, all of it finite, with the slopes by the array that it belongs to.

    Looked at are so many single elements, drawn at random, and, if there are more, all of them together along random
    directions, by which those that are wrong are found by halving.
    """
    chosen = list(range(gradient.size))
    if gradient.size > singles:
        chosen = [int(each) for each in generator.choice(gradient.size, singles, replace=False)]
        for _ in range(directions):
            chosen += _suspects(slopes, gradient, generator.normal(size=gradient.size))
    places = [tuple(map(int, np.unravel_index(each, gradient.shape))) for each in chosen]
    given = np.array([gradient[place] for place in places])
    behind, ahead = np.array([slopes.along(place, 1.0) for place in places]).T
    found = (behind + ahead) / 2
    scale = max(float(np.abs(gradient).max()), float(np.abs(found).max()), slopes.noise / LEAST)
    lowest, highest = np.minimum(behind, ahead) - slopes.noise, np.maximum(behind, ahead) + slopes.noise
    at_kinks = (np.abs(ahead - behind) > KINK * scale) & (lowest <= given) & (given <= highest)
    errors = np.where(at_kinks, 0.0, np.abs(given - found) / (scale or 1.0))
    worst = int(errors.argmax())
    return Agreement(float(errors[worst]), places[worst], float(given[worst]), float(found[worst]))


def _suspects(slopes: Slopes, gradient: Floats, direction: Floats) -> list[int]:
    """Return elements, counted flat, which may be why the slope along a direction is not what the gradient says."""
    found: list[int] = []
    pending = [np.arange(gradient.size)]
    while pending and len(found) < SUSPECTS:
        part = pending.pop()
        where = np.unravel_index(part, gradient.shape)
        expected = gradient[where] * direction[part]
        away = abs(float(expected.sum()) - sum(slopes.along(where, direction[part])) / 2) - slopes.noise
        if away <= PRECISION * float(np.linalg.norm(expected)):
            continue
        if len(part) == 1:
            found.append(int(part[0]))
        else:
            pending += [part[len(part) // 2 :], part[: len(part) // 2]]
    return found
