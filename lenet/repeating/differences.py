"""Where two runs differ: every point of their metrics and every number of their checkpoints, to the last bit."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenet.checkpoint import Checkpoint

RATES = ("samples_per_second",)
"""Metrics that are times or rates, which no two runs share."""
ENDS = ("test/loss", "test/accuracy", "best/val_accuracy")
"""Metrics that are measured once, at the end."""

History = Mapping[str, Sequence[tuple[int, float]]]
"""A run's metrics, each as points (step, value)."""


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in a run and its repetition; None stands for what one of them lacks.

    `distance` is |was - now| / max(1, |was|, |now|), of an array the largest of its numbers; infinite where one is
    lacking or is not a number.
    """

    what: str
    where: str
    was: float | str | None
    now: float | str | None
    distance: float = math.inf


def of_metrics(first: History, again: History, ends_only_last: bool) -> Iterator[Difference]:
    """Yield the points that differ, those of the earliest step first.

    With `ends_only_last`, of what is measured at the end only the last point counts: a run that was extended was scored
    where it had ended before, too.
    """
    was, now = (_points(history, ends_only_last) for history in (first, again))
    for step, metric in sorted({**was, **now}):
        one, other = was.get((step, metric), []), now.get((step, metric), [])
        if len(one) > 1 or len(other) > 1:
            if list(map(_bits, one)) != list(map(_bits, other)):
                yield Difference(metric, f"step {step}", f"{len(one)} points", f"{len(other)} points")
            continue
        pair = next(iter(one), None), next(iter(other), None)
        if not _same(*pair):
            yield Difference(metric, f"step {step}", *pair, _distance(*pair))


def count(history: History) -> tuple[int, int]:
    """Return how many points there are to compare, and of how many metrics."""
    compared = [len(points) for metric, points in history.items() if metric not in RATES]
    return sum(compared), len(compared)


def of_arrays(name: str, first: Checkpoint, again: Checkpoint) -> Iterator[Difference]:
    """Yield the arrays of two checkpoints that differ, with their first number that does; `name` goes before theirs."""
    for key in dict.fromkeys([*first.arrays, *again.arrays]):
        what = f"{name} {key}"
        was, now = first.arrays.get(key), again.arrays.get(key)
        if was is None or now is None or (was.shape, was.dtype) != (now.shape, now.dtype):
            yield Difference(what, "", _kind(was), _kind(now))
            continue
        differ = np.atleast_1d(_words(was) != _words(now)) & ~np.atleast_1d(_nan(was) & _nan(now))
        if differ.any():
            index = tuple(int(i) for i in np.argwhere(differ)[0])
            place = index[: was.ndim]
            yield Difference(what, str(list(place)), float(was[place]), float(now[place]), _largest(was, now))


def of_meta(name: str, first: Checkpoint, again: Checkpoint, ignored: Collection[str]) -> Iterator[Difference]:
    """Yield what two checkpoints say otherwise besides arrays, but for rates and the values of keys `ignored`."""
    was, now = (_leaves(saved.meta) for saved in (first, again))
    for key in dict.fromkeys([*was, *now]):
        if key in ignored or key.endswith(RATES):
            continue
        pair = was.get(key), now.get(key)
        if all(isinstance(value, float) for value in pair):
            if not _same(*pair):
                yield Difference(f"{name} meta", key, *pair, _distance(*pair))
        elif pair[0] != pair[1]:
            told = [None if value is None else str(value) for value in pair]
            yield Difference(f"{name} meta", key, told[0], told[1])


def _leaves(node: Any, prefix: str = "") -> dict[str, Any]:
    """Return every value in nested mappings and lists, by dotted path."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else None
    if items is None:
        return {prefix: node}
    found: dict[str, Any] = {}
    for key, value in items:
        found |= _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def _points(history: History, ends_only_last: bool) -> dict[tuple[int, str], list[float]]:
    found: dict[tuple[int, str], list[float]] = {}
    for metric, points in history.items():
        if metric in RATES:
            continue
        last = max((step for step, _ in points), default=0)
        for step, value in points:
            if step == last or metric not in ENDS or not ends_only_last:
                found.setdefault((step, metric), []).append(value)
    return found


def _bits(value: float) -> str:
    return "nan" if math.isnan(value) else value.hex()


def _same(was: float | None, now: float | None) -> bool:
    if was is None or now is None:
        return was is now
    return _bits(was) == _bits(now)


def _distance(was: float | None, now: float | None) -> float:
    if was is None or now is None:
        return math.inf
    distance = abs(was - now) / max(1.0, abs(was), abs(now))
    return distance if math.isfinite(distance) else math.inf


def _largest(was: NDArray[Any], now: NDArray[Any]) -> float:
    with np.errstate(invalid="ignore", over="ignore"):
        first, again = was.astype(np.float64), now.astype(np.float64)
        distance = np.abs(first - again) / np.maximum(1, np.maximum(np.abs(first), np.abs(again)))
    largest = float(distance.max())
    return largest if math.isfinite(largest) else math.inf


def _words(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array's bits as integers: zero and minus zero differ."""
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape)


def _nan(array: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, np.bool_)


def _kind(array: NDArray[Any] | None) -> str | None:
    return None if array is None else f"{array.dtype}{list(array.shape)}"
