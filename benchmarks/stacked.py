"""Training the runs of a learning-rate sweep as one stacked network, and its gain: `python -m benchmarks.stacked`.

A prototype of the default network's step, for runs that differ in their rate alone: every array has the runs as its
first axis, and all see the same batches. `docs/stacked_sweeps.md` tells what came of it.
"""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks import report, setting
from benchmarks.contenders.lenet_numpy import LeNetNumpy
from benchmarks.options import parse
from benchmarks.problem import Arrays, Problem

RUNS = (1, 2, 4, 8)
BATCHES = (1, 8, 32, 64)
MOMENTUM = 0.9


class StackedLeNet:
    """`runs` networks that train on the same batches at rates of their own, in operations for all of them at once.

    Images lie as `(runs, C, H, W, N)`, samples innermost, features as `(runs, features, N)`.
    """

    def __init__(self, xp: Any, weights: Arrays, rates: Sequence[float], batch: int) -> None:
        self.xp, self.runs, self.batch = xp, len(rates), batch
        shapes = {name: weight.shape for name, weight in weights.items()}
        starts = np.cumsum([0, *(weight.size for weight in weights.values())])
        # Parameter by parameter, so that each parameter of all runs is one array without gaps.
        host = np.concatenate([np.tile(by_output(weight).ravel(), self.runs) for weight in weights.values()])
        rate = np.concatenate([np.repeat(rates, weight.size) for weight in weights.values()])
        self.theta, self.rates = xp.array(host, dtype=np.float32), xp.array(rate, dtype=np.float32)
        self.gradient, self.velocity = xp.zeros(host.size, np.float32), xp.zeros(host.size, np.float32)
        self._shapes = {name: by_output(weight).shape for name, weight in weights.items()}
        self._slices = {name: slice(*(self.runs * ends)) for name, ends in zip(shapes, _pairs(starts), strict=True)}
        self.w = {name: self._view(self.theta, name) for name in shapes}
        self.g = {name: self._view(self.gradient, name) for name in shapes}
        self.conv1 = _Conv(xp, True, 1, 28, 2, 6, self.runs, batch)
        self.conv2 = _Conv(xp, False, 6, 14, 0, 16, self.runs, batch)
        self._buffers: dict[str, Any] = {}
        self.classes = xp.arange(10)

    def step(self, images: Any, labels: Any) -> None:
        """Take a step on `images` `(1, 1, 28, 28, N)`, scaled, with `labels` `(N,)`."""
        xp, w, g, new = self.xp, self.w, self.g, self._new
        a1 = self._relu(self.conv1.forward(images, w["conv1/weight"], w["conv1/bias"]))
        p1 = self._pool(a1, "p1")
        a2 = self._relu(self.conv2.forward(p1, w["conv2/weight"], w["conv2/bias"]))
        p2 = self._pool(a2, "p2")
        features = [p2.reshape(self.runs, 400, self.batch)]
        for number in (1, 2, 3):
            weight, bias = w[f"linear{number}/weight"], w[f"linear{number}/bias"]
            y = xp.matmul(weight, features[-1], out=new(f"y{number}", (weight.shape[1], self.batch)))
            y += bias
            features.append(self._relu(y) if number < 3 else y)
        dy = self._softmax_gradient(features[-1], labels)
        for number in (3, 2, 1):
            x = features[number - 1]
            xp.matmul(dy, x.transpose(0, 2, 1), out=g[f"linear{number}/weight"])
            dy.sum(axis=2, keepdims=True, out=g[f"linear{number}/bias"])
            dx = new(f"dx{number}", x.shape[1:])
            xp.matmul(w[f"linear{number}/weight"].transpose(0, 2, 1), dy, out=dx)
            dy = self._relu_gradient(dx, x, f"m{number}") if number > 1 else dx
        dy = self._relu_gradient(self._unpool(dy.reshape(p2.shape), "u2"), a2, "m0")
        dy = self.conv2.backward(dy, w["conv2/weight"], g["conv2/weight"], g["conv2/bias"])
        dy = self._relu_gradient(self._unpool(dy, "u1"), a1, "m1c")
        self.conv1.backward(dy, None, g["conv1/weight"], g["conv1/bias"])
        self.velocity *= MOMENTUM
        self.velocity += self.gradient
        self.theta -= xp.multiply(self.velocity, self.rates, out=self.gradient)

    def weights(self, run: int) -> Arrays:
        """Return a run's weights, each output's in a row; on NumPy."""
        return {name: view[run].copy() for name, view in self.w.items()}

    def _view(self, flat: Any, name: str) -> Any:
        return flat[self._slices[name]].reshape(self.runs, *self._shapes[name])

    def _new(self, name: str, shape: tuple[int, ...]) -> Any:
        if name not in self._buffers:
            self._buffers[name] = self.xp.zeros((self.runs, *shape), np.float32)
        return self._buffers[name]

    def _relu(self, x: Any) -> Any:
        return self.xp.maximum(x, 0, out=x)

    def _relu_gradient(self, dy: Any, y: Any, name: str) -> Any:
        dy *= self.xp.greater(y, 0, out=self._new(name, y.shape[1:]))
        return dy

    def _pool(self, x: Any, name: str) -> Any:
        runs, channels, height, width, batch = x.shape
        windows = x.reshape(runs, channels, height // 2, 2, width // 2, 2, batch)
        return windows.mean(axis=(3, 5), out=self._new(name, (channels, height // 2, width // 2, batch)))

    def _unpool(self, dy: Any, name: str) -> Any:
        runs, channels, height, width, batch = dy.shape
        dx = self._new(name, (channels, 2 * height, 2 * width, batch))
        windows = dx.reshape(runs, channels, height, 2, width, 2, batch)
        self.xp.multiply(dy[:, :, :, None, :, None], 0.25, out=windows)
        return dx

    def _softmax_gradient(self, logits: Any, labels: Any) -> Any:
        xp, one = self.xp, (1, self.batch)
        scores = xp.subtract(logits, logits.max(axis=1, keepdims=True, out=self._new("max", one)), out=logits)
        xp.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True, out=self._new("sum", one))
        scores -= xp.equal(labels, self.classes[:, None], out=self._new("target", (10, self.batch)))
        scores *= 1 / self.batch
        return scores


class _Conv:
    """A 5×5 convolution of stride one, of images that all runs share and nobody's gradient, or of each run's own."""

    def __init__(
        self, xp: Any, shared: bool, channels: int, size: int, padding: int, outputs: int, runs: int, batch: int
    ) -> None:
        self.xp, self.padding, self.size = xp, padding, size
        self.channels, self.outputs, self.runs, self.shared = channels, outputs, runs, shared
        self.stack = stack = 1 if shared else runs
        self.out = size + 2 * padding - 4
        full = size + 2 * padding
        self.frame = xp.zeros((stack, channels, full, full, batch), np.float32)
        self.windows = xp.zeros((stack, channels, 5, 5, self.out, self.out, batch), np.float32)
        self.columns = self.windows.reshape(stack, channels * 25, -1)
        self.y = xp.zeros((runs, outputs, self.out, self.out, batch), np.float32)
        if not shared:
            self.dy_frame = xp.zeros((runs, outputs, size + 4, size + 4, batch), np.float32)
            self.dy_windows = xp.zeros((runs, outputs, 5, 5, size, size, batch), np.float32)
            self.turned = xp.zeros((runs, channels, outputs, 5, 5), np.float32)
            self.dx = xp.zeros((runs, channels, size, size, batch), np.float32)

    def forward(self, x: Any, weight: Any, bias: Any) -> Any:
        pad = slice(self.padding, self.padding + self.size)
        if self.padding:
            self.frame[:, :, pad, pad] = x
            x = self.frame
        self.windows[...] = self._view(x, self.windows.shape)
        matrix = self.y.reshape(self.stack, self.runs // self.stack * self.outputs, -1)
        kernels = weight.reshape(self.stack, -1, self.channels * 25)
        if self.shared:  # the same images for all runs: one product for all their kernels
            self.xp.matmul(kernels[0], self.columns[0], out=matrix[0])
        else:
            self.xp.matmul(kernels, self.columns, out=matrix)
        lines = self.y.reshape(self.runs, self.outputs, -1)
        lines += bias
        return self.y

    def backward(self, dy: Any, weight: Any, gradient: Any, bias_gradient: Any) -> Any:
        matrix = dy.reshape(self.stack, self.runs // self.stack * self.outputs, -1)
        target = gradient.reshape(self.stack, -1, self.channels * 25)
        if self.shared:
            self.xp.matmul(matrix[0], self.columns[0].T, out=target[0])
        else:
            self.xp.matmul(matrix, self.columns.transpose(0, 2, 1), out=target)
        dy.reshape(self.runs, self.outputs, -1).sum(axis=2, keepdims=True, out=bias_gradient)
        if weight is None:
            return None
        self.dy_frame[:, :, 4:-4, 4:-4] = dy
        self.dy_windows[...] = self._view(self.dy_frame, self.dy_windows.shape)
        kernels = weight.reshape(self.runs, self.outputs, self.channels, 5, 5)
        self.turned[...] = kernels[:, :, :, ::-1, ::-1].transpose(0, 2, 1, 3, 4)
        self.xp.matmul(
            self.turned.reshape(self.runs, self.channels, -1),
            self.dy_windows.reshape(self.runs, self.outputs * 25, -1),
            out=self.dx.reshape(self.runs, self.channels, -1),
        )
        return self.dx

    def _view(self, images: Any, shape: tuple[int, ...]) -> Any:
        run, channel, row, column, sample = images.strides
        strides = (run, channel, row, column, row, column, sample)
        return self.xp.lib.stride_tricks.as_strided(images, shape, strides)


def by_output(weight: Any) -> Any:
    """Return a weight with a row for each output; a bias as a column."""
    if weight.ndim == 2:
        return weight.T
    return weight.reshape(len(weight), -1)


def _pairs(starts: Any) -> list[Any]:
    return [starts[index : index + 2] for index in range(len(starts) - 1)]


def rates_of(runs: int) -> list[float]:
    """Return the rates of a sweep of so many runs."""
    return [0.001 * 2**index for index in range(runs)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was found."""
    options = parse(arguments, __doc__, batches=BATCHES)
    problem = setting.make_problem(setting.load_data())
    rows = []
    for batch in options.batches:
        alone = LeNetNumpy(threads=1)
        alone.open(problem)
        indices = np.arange(batch)
        given = scaled(problem, indices)
        steps = [lambda a=alone, i=indices: a.step(i)]
        for runs in RUNS:
            stacked = StackedLeNet(np, problem.weights, rates_of(runs), batch)
            steps.append(lambda s=stacked, given=given: s.step(*given))
        taken = [[_seconds(step, options.seconds) for step in steps] for _ in range(options.rounds)]
        middle = [median(each) for each in zip(*taken, strict=True)]
        rows.append([batch, *(report.ratio(n * middle[0] / each) for n, each in zip(RUNS, middle[1:], strict=True))])
        print(f"batch {batch}: done", flush=True)
    text = report.table(rows, ["batch", *(f"{runs} runs" for runs in RUNS)])
    print(f"\nSpeed of the stack over that of its runs one after the other, on one thread:\n\n{text}")


def scaled(problem: Problem, indices: Any) -> tuple[Any, Any]:
    """Return a batch as the stack takes it."""
    images = (problem.images[indices].astype(np.float32) - problem.shift) / problem.scale
    return np.ascontiguousarray(images.transpose(1, 2, 3, 0)[None], np.float32), problem.labels[indices]


def _seconds(step: Any, seconds: float) -> float:
    step()
    count, begun = 0, time.perf_counter()
    while count < 2 or time.perf_counter() - begun < seconds:
        step()
        count += 1
    return (time.perf_counter() - begun) / count


if __name__ == "__main__":
    main()
