# mypy: disable-error-code="import-not-found, no-untyped-call, unused-ignore"
"""PyTorch, eager, in its default memory format or in channels-last."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from benchmarks.contenders.base import Contender, Indices
from benchmarks.problem import Arrays, Problem


class TorchEager(Contender):
    """The network as a `Sequential`, trained by `torch.optim.SGD` on `threads` threads."""

    def __init__(self, threads: int, channels_last: bool, device: str = "cpu") -> None:
        self.device = device
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)  # as this project clears its vanished velocities
        self.format = torch.channels_last if channels_last else torch.contiguous_format

    def open(self, problem: Problem) -> None:
        arrays = problem.images, problem.labels, problem.test_images, problem.test_labels
        tensors = [torch.tensor(array, device=self.device) for array in arrays]
        self._images, self._labels, self._test_images, self._test_labels = tensors
        super().open(problem)

    def start(self) -> None:
        weights = self.problem.weights
        self.model = _sequential(weights).to(self.device, memory_format=self.format)
        self.loss = self.loss_of
        with torch.no_grad():
            for parameter, weight in zip(self.model.parameters(), weights.values(), strict=True):
                parameter.copy_(torch.from_numpy(weight if weight.ndim != 2 else weight.T))
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=self.problem.lr, momentum=self.problem.momentum, fused=True
        )

    def step(self, indices: Indices) -> None:
        self.optimizer.zero_grad()
        self.loss(*self._batch(indices)).backward()
        self.optimizer.step()

    def gradient(self, indices: Indices) -> tuple[float, Arrays]:
        self.optimizer.zero_grad()
        loss = self.loss(*self._batch(indices))
        loss.backward()
        return loss.item(), self._named([parameter.grad for parameter in self.model.parameters()])

    def weights(self) -> Arrays:
        return self._named([parameter.detach() for parameter in self.model.parameters()])

    def predict(self, batch: int) -> npt.NDArray[np.integer[Any]]:
        found = []
        with torch.inference_mode():
            for start in range(0, len(self._test_images), batch):
                labels = self._test_labels[start : start + batch]
                logits = self.model(self._input(self._test_images[start : start + batch]))
                functional.cross_entropy(logits, labels, reduction="none")
                found.append(logits.argmax(dim=1))
            return torch.cat(found).cpu().numpy()  # type: ignore[no-any-return]

    def versions(self) -> dict[str, str]:
        return {"PyTorch": torch.__version__}

    def loss_of(self, images: Any, labels: Any) -> Any:
        """Return the mean loss of uint8 images."""
        return functional.cross_entropy(self.model(self._input(images)), labels)

    def _batch(self, indices: Indices) -> tuple[Any, Any]:
        chosen = self._on_device(torch.from_numpy(indices))
        return self._images.index_select(0, chosen), self._labels.index_select(0, chosen)

    def _on_device(self, indices: Any) -> Any:
        return indices

    def _input(self, images: Any) -> Any:
        return images.to(torch.float32, memory_format=self.format).sub_(self.problem.shift).mul_(1 / self.problem.scale)

    def _named(self, tensors: list[Any]) -> Arrays:
        arrays = [tensor.contiguous().cpu().numpy() for tensor in tensors]
        arrays = [np.array(array if array.ndim != 2 else array.T) for array in arrays]
        return dict(zip(self.problem.weights, arrays, strict=True))


def _sequential(weights: Arrays) -> Any:
    """Return LeNet-5 with the sizes of `weights`."""
    conv1, conv2 = weights["conv1/weight"].shape, weights["conv2/weight"].shape
    linears = [weights[f"linear{number}/weight"].shape for number in (1, 2, 3)]
    return nn.Sequential(
        nn.Conv2d(conv1[1], conv1[0], conv1[2], padding=2),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
        nn.Conv2d(conv2[1], conv2[0], conv2[2]),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(*linears[0]),
        nn.ReLU(inplace=True),
        nn.Linear(*linears[1]),
        nn.ReLU(inplace=True),
        nn.Linear(*linears[2]),
    )
