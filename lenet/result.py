"""A run that has ended, as a program or a notebook looks at it: what it measured, drew and saved."""

import base64
import html
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenet.errors import UserError
from lenet.inference.trained import Trained, Which, checkpoint_of
from lenet.recorded.choosing import open_finder
from lenet.recorded.stored import Stored, read_stored
from lenet.tracking.tags import EVALUATION

if TYPE_CHECKING:
    from lenet.tracking.finding import Finder
    from lenet.tracking.record import RunRecord

FIGURES = "figures/"


@dataclass(frozen=True)
class Figure:
    """A figure of a run; a notebook shows it."""

    name: str
    png: bytes

    def __repr__(self) -> str:  # the bytes themselves would fill a terminal, and be stored in a notebook a second time
        return f"<Figure {self.name}, {max(1, round(len(self.png) / 1000)):,} kB>"

    def _repr_png_(self) -> bytes:
        return self.png


class Result:
    """The run `id` of the store at `uri` (None: where MLflow would look), read when it is first asked for.

    Raises `UserError` where there is no such run.
    """

    def __init__(self, id: str, uri: str | None = None) -> None:
        self.id = id
        self.uri = uri

    @property
    def name(self) -> str:
        """The run's name."""
        return self.record.name

    @property
    def experiment_id(self) -> str:
        """The id of the MLflow experiment that the run is part of."""
        return self.record.experiment_id

    @property
    def status(self) -> str:
        """FINISHED, FAILED, KILLED or RUNNING."""
        return self.record.status

    @property
    def diverged(self) -> bool:
        """Whether training ended because the loss was no longer finite, or far too large."""
        return self.record.diverged

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric's last value: `test/accuracy`, `best/val_accuracy`, `val/loss`, …."""
        return dict(self.record.metrics)

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration, resolved, as it is recorded."""
        return self._stored.config

    @cached_property
    def history(self) -> dict[str, list[float]]:
        """The values of each metric that is measured after every epoch, from the first epoch on."""
        points = self._finder.histories(self.record)
        epochs = list(range(1, len(points.get("train/loss", ())) + 1))
        return {
            name: [value for _, value in found]
            for name, found in points.items()
            if [step for step, _ in found] == epochs and not name.startswith(("test/", "best/", EVALUATION))
        }

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """The run's figures by name: `curves`, `confusion_matrix`, …."""
        names = [name for name in self._artifacts if name.startswith(FIGURES) and name.endswith(".png")]
        shown = [(name.removeprefix(FIGURES).removesuffix(".png"), name) for name in sorted(names)]
        return {short: Figure(short, self.read(name)) for short, name in shown}

    @property
    def paths(self) -> dict[str, Path]:
        """Where each artifact lies, by its name (`checkpoints/best.npz`, …); empty where that is not this machine."""
        folder = self._finder.artifact_folder(self.id)
        return {name: folder / name for name in self._artifacts} if folder else {}

    def read(self, name: str) -> bytes:
        """Return the bytes of an artifact, wherever it lies; raise `UserError` where there is none of this name."""
        with self._finder.artifact(self.id, name) as path:
            if path is None:
                raise UserError(f"run `{self.name}` has no artifact {name}. Accepted: {', '.join(self._artifacts)}.")
            return path.read_bytes()

    def load(self, checkpoint: Which | None = None, allow: Collection[str] = ()) -> Trained:
        """Return the trained network of a checkpoint: the one asked for, else the best where there is one.

        `allow` names modules of your own that its layers and loss come from.
        """
        return Trained(checkpoint_of(self._stored, checkpoint)[1], allow)

    def __repr__(self) -> str:
        return f"<Result {self.name!r} {self.id}: {self._outcome}, {_listed(self.metrics)}>"

    def _repr_html_(self) -> str:
        cells = "".join(f"<tr><td>{html.escape(k)}</td><td>{v:.4g}</td></tr>" for k, v in self.metrics.items())
        curves = f"{FIGURES}curves.png"
        picture = base64.b64encode(self.read(curves)).decode() if curves in self._artifacts else ""
        shown = f'<img src="data:image/png;base64,{picture}">' if picture else ""
        title = html.escape(f"{self.name} ({self.id}): {self._outcome}")
        return f"<b>{title}</b>{shown}<table>{cells}</table>"

    @property
    def _outcome(self) -> str:
        """How the run ended, as the tables of the commands say it."""
        return "diverged" if self.diverged else self.status

    @cached_property
    def record(self) -> "RunRecord":
        """The run as the store has it."""
        return self._finder.single(self.id)

    @cached_property
    def _finder(self) -> "Finder":
        return open_finder(self.uri)

    @cached_property
    def _stored(self) -> Stored:
        return read_stored(self._finder, self.record, self.uri)

    @cached_property
    def _artifacts(self) -> list[str]:
        return sorted(self._finder.artifact_sizes(self.id) or ())


def _listed(metrics: Mapping[str, float]) -> str:
    shown = [f"{name} {metrics[name]:.4f}" for name in ("val/accuracy", "test/accuracy") if name in metrics]
    return ", ".join(shown) or "no metrics"
