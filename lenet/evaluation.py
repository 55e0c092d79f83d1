"""Scoring a run's network on a test set: its own, or that of other data."""

import json
import re
import textwrap
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from lenet.build import TrackingSettings, build
from lenet.composition import set_values
from lenet.config import compose_config
from lenet.construct import make
from lenet.data import Dataset, DataSource
from lenet.data.loader import ImageTable
from lenet.errors import UserError, did_you_mean
from lenet.extension import CHANGEABLE, check_config
from lenet.matching import How, match
from lenet.scoring import Bin, ClassScore, by_class, calibration, calibration_error, mean_of, to_data
from lenet.stored import Stored
from lenet.tables import COLUMNS, cut, number, to_table
from lenet.tracking.addition import SCORES
from lenet.trained import Trained, Which, checkpoint_of
from lenet.training.engine import Engine, Scores
from lenet.workbench import Workbench

CHANGEABLE_HERE = tuple(key for key in CHANGEABLE if key.startswith(("data.", "backend.")))
"""What may be given another value of: where the run's own data are, and on what is computed."""
NAME = 16
"""Characters of a class's name in a table."""


@dataclass(frozen=True)
class Evaluation:
    """What a network made of a test set, whose classes its own stand for as `how` says."""

    stored: Stored
    which: Which
    trained: Trained
    dataset: Dataset
    is_own: bool
    how: How
    scores: Scores

    @property
    def name(self) -> str:
        """What it is recorded as, if that is free: the data's name, and the checkpoint's where it is not the best."""
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", self.dataset.name).strip("._")[:100] or "data"
        return plain if self.which == "best" else f"{plain}-{self.which}"

    @cached_property
    def classes(self) -> list[ClassScore]:
        """The scores of the network's classes."""
        return by_class(self.scores, self.trained.classes)

    @cached_property
    def bins(self) -> list[Bin]:
        """The network's confidence, in bins."""
        return calibration(self.scores)

    def metrics(self) -> dict[str, float]:
        """Return what is recorded as metrics; precision and recall are means over classes that have them."""
        summary = self.scores.summary("")
        return {
            "loss": summary["/loss"],
            "accuracy": summary["/accuracy"],
            "precision": mean_of([each.precision for each in self.classes]),
            "recall": mean_of([each.recall for each in self.classes]),
            "calibration_error": calibration_error(self.bins),
        }

    def told(self) -> dict[str, Any]:
        """Return all that is known, fit for JSON."""
        rows = [
            {
                **asdict(each),
                "stands_for": other,
                "precision": to_data(each.precision),
                "recall": to_data(each.recall),
            }
            for each, other in zip(self.classes, self.stood_for, strict=True)
        ]
        return {
            "run_id": self.stored.record.id,
            "checkpoint": self.which,
            "epoch": self.trained.description.epoch,
            "data": self.dataset.name,
            "data_digest": self.dataset.digest,
            "trained_on_these_data": self.dataset.digest == self.trained.description.data_digest,
            "classes_compared": self.how,
            "images": len(self.scores.labels),
            **{key: to_data(value) for key, value in self.metrics().items()},
            "classes": rows,
            "confusion_matrix": self.scores.confusion(len(self.trained.classes)).tolist(),
            "calibration": [asdict(each) for each in self.bins],
        }

    @cached_property
    def stood_for(self) -> list[str | None]:
        """For each of the network's classes the data's that it stands for."""
        indices = match(self.trained.classes, self.dataset.classes)[0].tolist()
        others = dict(zip(indices, self.dataset.classes, strict=True))
        return [others.get(index) for index in range(len(self.trained.classes))]


def evaluate(stored: Stored, overrides: Sequence[str], allowed: Collection[str], which: Which | None) -> Evaluation:
    """Score a run's checkpoint on the test set of its own data or, with `data=…` among the overrides, of others.

    The same numbers come out, to the last bit, as where the run itself scored these weights on these images, on any
    number of threads. Raises `UserError` where data, checkpoint or a backend cannot be had or do not fit each other.
    """
    other = [text for text in overrides if text.startswith("data=")]
    of_data = [text for text in overrides if text.startswith("data.") and other]
    mine = [text for text in overrides if text not in other and text not in of_data]
    for key in (text.partition("=")[0] for text in mine):
        if not key.startswith(("data.", "backend.")):
            accepted = ("data", *CHANGEABLE_HERE)
            raise UserError(f"`{key}` is not for this.{did_you_mean(key, accepted)} Accepted: {', '.join(accepted)}.")
    plan = build(set_values(stored.config, mine, CHANGEABLE_HERE), allowed)
    found, saved = checkpoint_of(stored, which)
    check_config(saved, stored.config)
    trained = Trained(saved, allowed, plan.backend.open())
    if other:
        source = make(compose_config([*other, *of_data])["data"], "data", DataSource)
        dataset = source.load(plan.seed)
    else:
        dataset = Workbench().dataset(plan)
        stored.check_data(dataset.digest, saved)
    indices, how = match(trained.classes, dataset.classes)
    if dataset.test_images.shape[1:] != trained.input_shape:
        images, wanted = ("×".join(map(str, shape)) for shape in (dataset.test_images.shape[1:], trained.input_shape))
        raise UserError(
            f"data: `{dataset.name}` has images of {images}, and the network takes {wanted} (channels, height, width). "
            "Accepted: data of that shape; data=image_folder can be brought to it by data.size and data.channels."
        )
    scaling = trained.description.scaling
    table = ImageTable(dataset.test_images, indices[dataset.test_labels], scaling.shift, scaling.scale, trained.backend)
    with Engine(trained.network, {"test": table}, trained.loss, trained.backend) as engine:
        scores = engine.score("test")
    return Evaluation(stored, found, trained, dataset, not other, how, scores)


def record(evaluation: Evaluation) -> str:
    """Add an evaluation to its run: metrics, all that is known, and figures. Return the name under which."""
    from lenet import plots  # Matplotlib takes half a second to import

    e = evaluation
    confusion = e.scores.confusion(len(e.trained.classes))
    edges = [(each.low, each.high) for each in e.bins]
    images, sure, right = ([getattr(each, key) for each in e.bins] for key in ("images", "confidence", "accuracy"))
    figure = plots.calibration(edges, images, sure, right, f"Calibration on {cut(e.dataset.name, 40)}")
    artifacts = {
        SCORES: to_text(e).encode(),
        "confusion_matrix.png": plots.to_png(plots.confusion_matrix(confusion, e.trained.classes)),
        "calibration.png": plots.to_png(figure),
    }
    settings = TrackingSettings(**e.stored.config["tracking"])
    store = Workbench().store(settings)
    return store.add_evaluation(e.stored.record.id, e.name, e.metrics(), e.trained.description.epoch, artifacts)


def to_text(evaluation: Evaluation) -> str:
    """Return all that is known as JSON."""
    return json.dumps(evaluation.told(), indent=2, ensure_ascii=False) + "\n"


def what_is_compared(evaluation: Evaluation) -> str:
    """Say in a few lines which network is scored on which data, and what counts as right."""
    e = evaluation
    name, data = cut(e.stored.record.name, 30), cut(e.dataset.name, 30)
    own = "its own data" if e.is_own else "other data than its own"
    if not e.is_own and e.dataset.digest == e.trained.description.data_digest:
        own = "the data that it was trained on"
    lines = [
        f"{name}, {e.which} checkpoint (epoch {e.trained.description.epoch}),",
        f"on the {len(e.scores.labels):,} test images of {data}, {own}",
    ]
    if not e.is_own:
        lines.append("pixels are scaled as for the data that it was trained on")
    if e.how == "by name":
        lines.append("classes are compared by name")
    if e.how == "by position":
        lines.append("classes have other names, and are compared by position: right is")
        pairs = zip(e.trained.classes, e.dataset.classes, strict=True)
        lines += textwrap.wrap(", ".join(f"{own} for {other}" for own, other in pairs), COLUMNS - 1)
    return "\n".join(lines) + "\n"


def render(evaluation: Evaluation) -> str:
    """Return an evaluation as tables."""
    e, metrics = evaluation, evaluation.metrics()
    parts = [
        what_is_compared(e),
        f"loss {metrics['loss']:.4f}  accuracy {metrics['accuracy']:.4f}{_in_training(e)}\n",
        _class_table(e),
        _confusion_table(e),
        f"calibration error {metrics['calibration_error']:.4f}: the mean distance of confidence and accuracy\n",
        _calibration_table(e),
    ]
    return "\n".join(part for part in parts if part)


def _in_training(evaluation: Evaluation) -> str:
    """Return what the run itself reached with its last weights on its own test images."""
    found = [evaluation.stored.record.metrics.get(f"test/{key}") for key in ("loss", "accuracy")]
    if not evaluation.is_own or None in found:
        return ""
    return f"  (the run's own, last weights: {number(found[0])}, {number(found[1])})"


def _class_table(evaluation: Evaluation) -> str:
    rows = [
        {
            "class": cut(each.name, NAME),
            **({"stands for": cut(other or "–", NAME)} if evaluation.how == "by position" else {}),
            "images": f"{each.images:,}",
            "taken for it": f"{each.taken:,}",
            "precision": number(each.precision),
            "recall": number(each.recall),
        }
        for each, other in zip(evaluation.classes, evaluation.stood_for, strict=True)
    ]
    return to_table(rows, "table", right=("images", "taken for it", "precision", "recall"))


def _confusion_table(evaluation: Evaluation) -> str:
    """Return how often each class (row) was taken for each (column); nothing where a terminal has no room for it."""
    names = [cut(name, 5) for name in evaluation.trained.classes]
    matrix = evaluation.scores.confusion(len(names))
    if len(set(names)) < len(names) or len(names) > COLUMNS // 5:
        return ""
    rows = [
        {"taken for": name, **{other: str(count or "") for other, count in zip(names, row, strict=True)}}
        for name, row in zip(names, matrix.tolist(), strict=True)
    ]
    table = to_table(rows, "table", right=names)
    return table if max(map(len, table.splitlines())) <= COLUMNS else ""


def _calibration_table(evaluation: Evaluation) -> str:
    rows = [
        {
            "confidence": f"{each.low:.2f} – {each.high:.2f}",
            "images": f"{each.images:,}",
            "mean confidence": number(each.confidence),
            "accuracy": number(each.accuracy),
        }
        for each in evaluation.bins
    ]
    return to_table(rows, "table", right=("images", "mean confidence", "accuracy"))
