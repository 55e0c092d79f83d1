"""Scoring a run's network: on the test set of its own data, or on other data."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from lenet.arrays.shortage import memory_errors_explained
from lenet.common.tables import cut
from lenet.configuration.build import TrackingSettings, build
from lenet.configuration.composition import set_values
from lenet.configuration.config import compose_config
from lenet.configuration.construct import make
from lenet.data import DataSource
from lenet.data.loader import ImageTable
from lenet.errors import UserError, did_you_mean
from lenet.inference.exam import Exam, other_exam, own_exam, without_seen_images
from lenet.inference.matching import How, match
from lenet.inference.scoring import Bin, ClassScore, by_class, calibration, calibration_error, macro, number_or_none
from lenet.inference.trained import Trained, Which, checkpoint_of
from lenet.recorded.extension import CHANGEABLE, check_config
from lenet.recorded.stored import Stored
from lenet.running.workbench import Workbench
from lenet.tracking.addition import SCORES
from lenet.training.engine import Engine, Scores

CHANGEABLE_HERE = tuple(key for key in CHANGEABLE if key.startswith(("data.", "backend.")))
"""What may be given another value of: where the run's own data are, and on what is computed."""


@dataclass(frozen=True)
class Evaluation:
    """What a network made of images, whose classes its own stand for as `how` says."""

    stored: Stored
    which: Which
    trained: Trained
    exam: Exam
    how: How
    scores: Scores

    @property
    def name(self) -> str:
        """What it is recorded as, if that is free: the data's name, and what tells it from the best checkpoint's score.

        That is `-prepared` where image files were, and the checkpoint's name where it is another.
        """
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", self.exam.name).strip("._")[:100] or "data"
        name = f"{plain}-prepared" if self.exam.prepared else plain
        return name if self.which == "best" else f"{name}-{self.which}"

    @cached_property
    def classes(self) -> list[ClassScore]:
        """The scores of the network's classes."""
        return by_class(self.scores, self.trained.classes)

    @cached_property
    def bins(self) -> list[Bin]:
        """The network's confidence, in bins."""
        return calibration(self.scores)

    def metrics(self) -> dict[str, float]:
        """Return what is recorded as metrics; precision and recall are means over classes, as `macro` takes them."""
        summary = self.scores.summary("")
        return {
            "loss": summary["/loss"],
            "accuracy": summary["/accuracy"],
            "precision": macro(self.classes, "precision"),
            "recall": macro(self.classes, "recall"),
            "calibration_error": calibration_error(self.bins),
        }

    def told(self) -> dict[str, Any]:
        """Return all that is known, fit for JSON."""
        rows = [
            {
                **asdict(each),
                "stands_for": other,
                "precision": number_or_none(each.precision),
                "recall": number_or_none(each.recall),
            }
            for each, other in zip(self.classes, self.stood_for, strict=True)
        ]
        return {
            "run_id": self.stored.record.id,
            "checkpoint": self.which,
            "epoch": self.trained.description.epoch,
            "data": self.exam.name,
            "data_digest": self.exam.digest,
            "trained_on_these_data": self.exam.is_same,
            "scored": "test set" if self.exam.is_test_set else "all",
            "left_out_as_trained_on": self.exam.left_out,
            "best_epoch_chosen_by_these": self.exam.chosen_by,
            "prepared": self.exam.prepared,
            "unlike_training_images": self.exam.difference(self.trained),
            "classes_compared": self.how,
            "images": len(self.scores.labels),
            **{key: number_or_none(value) for key, value in self.metrics().items()},
            "classes": rows,
            "confusion_matrix": self.scores.confusion(len(self.trained.classes)).tolist(),
            "calibration": [asdict(each) for each in self.bins],
        }

    @cached_property
    def stood_for(self) -> list[str | None]:
        """For each of the network's classes the data's that it stands for."""
        indices = match(self.trained.classes, self.exam.classes)[0].tolist()
        others = dict(zip(indices, self.exam.classes, strict=True))
        return [others.get(index) for index in range(len(self.trained.classes))]

    @property
    def true_classes(self) -> list[str]:
        """What images of each of the network's classes are called: as the data call them, if they have that class."""
        return [other or own for own, other in zip(self.trained.classes, self.stood_for, strict=True)]


def evaluate(
    stored: Stored,
    overrides: Sequence[str],
    allowed: Collection[str],
    which: Which | None,
    config_dir: str | None = None,
    prepare: bool = False,
) -> Evaluation:
    """Score a run's checkpoint on the test set of its own data or, with `data=…` among the overrides, on others.

    Of others it is their own test set, or all images of data without one; none that the run has seen. Groups of the
    user's own come from `config_dir`, and `prepare` has image files brought to the network as `predict` does.

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
    for option in ["--prepare"] * prepare + ["--config-dir"] * (config_dir is not None):
        if not other:
            raise UserError(f"{option} is for other data than the run's own. Accepted with it: data=… with its keys.")
    plan = build(set_values(stored.config, mine, CHANGEABLE_HERE), allowed)
    found, saved = checkpoint_of(stored, which)
    check_config(saved, stored.config)
    trained = Trained(saved, allowed, plan.backend.open())
    if other:
        source = make(compose_config([*other, *of_data], config_dir)["data"], "data", DataSource)
        exam = other_exam(source, trained, plan.seed, prepare)
    else:
        dataset = Workbench().dataset(plan)
        stored.check_data(dataset.digest, saved)
        exam = own_exam(dataset)
    indices, how = match(trained.classes, exam.classes)
    _check_shape(exam, trained)
    exam = without_seen_images(exam, plan, trained.description.data_digest)
    scaling = trained.description.scaling
    with memory_errors_explained(trained.backend, f"{len(exam.images):,} images of the data", ["fewer images"]):
        table = ImageTable(exam.images, indices[exam.labels], scaling.shift, scaling.scale, trained.backend)
        with Engine(trained.network, {"test": table}, trained.loss, trained.backend) as engine:
            scores = engine.score("test")
    return Evaluation(stored, found, trained, exam, how, scores)


def _check_shape(exam: Exam, trained: Trained) -> None:
    if exam.images.shape[1:] != trained.input_shape:
        images, wanted = ("×".join(map(str, shape)) for shape in (exam.images.shape[1:], trained.input_shape))
        raise UserError(
            f"data: `{exam.name}` has images of {images}, and the network takes {wanted} (channels, height, width). "
            "Accepted: data of that shape; data=image_folder is brought to it by --prepare, as predict does, or by "
            "data.size and data.channels."
        )


def record(evaluation: Evaluation) -> str:
    """Add an evaluation to its run: metrics, all that is known, and figures. Return the name under which."""
    from lenet import plots  # Matplotlib takes half a second to import

    e = evaluation
    confusion = e.scores.confusion(len(e.trained.classes))
    edges = [(each.low, each.high) for each in e.bins]
    images, sure, right = ([getattr(each, key) for each in e.bins] for key in ("images", "confidence", "accuracy"))
    matrix = plots.confusion_matrix(confusion, e.trained.classes, e.true_classes, e.exam.name)
    bins = plots.calibration(edges, images, sure, right, f"Calibration on {cut(e.exam.name, 40)}")
    artifacts = {
        SCORES: to_text(e).encode(),
        "confusion_matrix.png": plots.to_png(matrix),
        "calibration.png": plots.to_png(bins),
    }
    settings = TrackingSettings(**e.stored.config["tracking"])
    store = Workbench().store(settings)
    return store.add_evaluation(e.stored.record.id, e.name, e.metrics(), e.trained.description.epoch, artifacts)


def to_text(evaluation: Evaluation) -> str:
    """Return all that is known as JSON."""
    return json.dumps(evaluation.told(), indent=2, ensure_ascii=False) + "\n"
