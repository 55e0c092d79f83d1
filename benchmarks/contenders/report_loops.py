"""The course report's own algorithm: NumPy in Python loops over windows, samples and channels.

Written anew from the report's description. Images are unfolded window by window (img2col); a convolution is one
product a sample, its weights' gradient one for each output, sample and input channel; its input's gradient is the
convolution of the padded gradient with the turned kernel. float64, plain gradient descent, one sample a step.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.contenders.base import Contender, Indices
from benchmarks.problem import Array, Arrays


def unfold(image: Array, size: int, stride: int = 1) -> Array:
    """Return the windows of an image `(C, H, W)` as rows `(windows, C · size²)`."""
    channels, height, width = image.shape
    rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    windows = np.zeros((rows * columns, channels * size * size))
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            windows[row * columns + column] = image[:, top : top + size, left : left + size].reshape(-1)
    return windows


def pad(images: Array, by: int) -> Array:
    """Surround images `(N, C, H, W)` with zeros."""
    return np.pad(images, ((0, 0), (0, 0), (by, by), (by, by))) if by else images


class LoopConv:
    """Convolution with stride 1."""

    def __init__(self, weight: Array, bias: Array, padding: int) -> None:
        self.weight, self.bias, self.padding = weight, bias[:, None], padding

    def forward(self, x: Array) -> Array:
        self.x = pad(x, self.padding)
        outputs, _, size, _ = self.weight.shape
        height, width = self.x.shape[2] - size + 1, self.x.shape[3] - size + 1
        kernel = self.weight.reshape(outputs, -1).T
        y = np.zeros((len(x), outputs, height, width))
        for n in range(len(x)):
            y[n] = (unfold(self.x[n], size) @ kernel + self.bias.T).reshape(height, width, outputs).transpose(2, 0, 1)
        return y

    def backward(self, dy: Array) -> Array:
        outputs, channels, size, _ = self.weight.shape
        count = len(dy)
        self.gradients = [np.zeros_like(self.weight), np.zeros((outputs, 1))]
        for o in range(outputs):
            for n in range(count):
                upstream = dy[n][o].reshape(-1)
                for c in range(channels):
                    product = unfold(self.x[n][c][None], dy.shape[2]) @ upstream
                    self.gradients[0][o][c] += product.reshape(size, size)
                self.gradients[1][o] += upstream.sum()
        padded, turned = pad(dy, size - 1), self.weight[:, :, ::-1, ::-1]
        dx = np.zeros_like(self.x)
        for n in range(count):
            windows = unfold(padded[n], size)
            for c in range(channels):
                dx[n][c] = (windows @ turned[:, c].reshape(-1)).reshape(dx.shape[2:])
        p = self.padding
        return dx[:, :, p : dx.shape[2] - p, p : dx.shape[3] - p]


class LoopPool:
    """Means of 2 × 2, as a convolution with four weights of ¼ and stride 2, channel by channel."""

    def forward(self, x: Array) -> Array:
        count, channels, height, width = x.shape
        y = np.zeros((count, channels, height // 2, width // 2))
        for n in range(count):
            for c in range(channels):
                y[n][c] = (unfold(x[n][c][None], 2, 2) @ np.full(4, 0.25)).reshape(height // 2, width // 2)
        return y

    def backward(self, dy: Array) -> Array:
        count, channels, height, width = dy.shape
        dx = np.zeros((count, channels, 2 * height, 2 * width))
        for n in range(count):
            for c in range(channels):
                dx[n][c] = np.kron(dy[n][c], np.full((2, 2), 0.25))
        return dx


class LoopLinear:
    """Full connection; the report's is a matrix product too."""

    def __init__(self, weight: Array, bias: Array) -> None:
        self.weight, self.bias = weight, bias[None]

    def forward(self, x: Array) -> Array:
        self.x = x
        return x @ self.weight + self.bias

    def backward(self, dy: Array) -> Array:
        self.gradients = [self.x.T @ dy, dy.sum(axis=0)]
        return dy @ self.weight.T


class Relu:
    """`max(0, x)`."""

    def forward(self, x: Array) -> Array:
        self.open = x > 0
        return x * self.open

    def backward(self, dy: Array) -> Array:
        return dy * self.open


class Flat:
    """`(N, C, H, W)` to `(N, C·H·W)`."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.shape)


class ReportLoops(Contender):
    """The report's network and its training step."""

    def start(self) -> None:
        w = {name: weight.astype(np.float64) for name, weight in self.problem.weights.items()}
        self.parameterised: dict[str, Any] = {
            "conv1": LoopConv(w["conv1/weight"], w["conv1/bias"], padding=2),
            "conv2": LoopConv(w["conv2/weight"], w["conv2/bias"], padding=0),
        } | {name: LoopLinear(w[f"{name}/weight"], w[f"{name}/bias"]) for name in ("linear1", "linear2", "linear3")}
        conv1, conv2, *linears = self.parameterised.values()
        self.layers: list[Any] = [conv1, Relu(), LoopPool(), conv2, Relu(), LoopPool(), Flat()]
        self.layers += [linears[0], Relu(), linears[1], Relu(), linears[2]]

    def step(self, indices: Indices) -> None:
        self._backpropagate(indices)
        for layer in self.parameterised.values():
            layer.weight -= self.problem.lr * layer.gradients[0]
            layer.bias -= self.problem.lr * layer.gradients[1]

    def gradient(self, indices: Indices) -> tuple[float, Arrays]:
        loss = self._backpropagate(indices)
        return loss, self._named(lambda layer: layer.gradients)

    def weights(self) -> Arrays:
        return self._named(lambda layer: [layer.weight, layer.bias])

    def predict(self, batch: int) -> npt.NDArray[np.integer[Any]]:
        found: npt.NDArray[np.integer[Any]] = self._logits(self.problem.test_images).argmax(axis=1)
        return found

    def versions(self) -> dict[str, str]:
        return {"NumPy": np.__version__}

    def _logits(self, images: Array) -> Array:
        x = (images - self.problem.shift) / self.problem.scale
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def _backpropagate(self, indices: Indices) -> float:
        labels, rows = self.problem.labels[indices], np.arange(len(indices))
        logits = self._logits(self.problem.images[indices])
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        loss = float(-np.log(shares[rows, labels]).mean())
        shares[rows, labels] -= 1
        dy = shares / len(indices)
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return loss

    def _named(self, arrays: Any) -> Arrays:
        named: Arrays = {}
        for name, layer in self.parameterised.items():
            weight, bias = arrays(layer)
            named |= {f"{name}/weight": weight, f"{name}/bias": bias.reshape(-1)}
        return named
