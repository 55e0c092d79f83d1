"""An evaluation in words and tables, for a terminal."""

import textwrap

from lenet.common.tables import COLUMNS, cut, number, to_table
from lenet.inference.evaluation import Evaluation

NAME = 16
"""Characters of a class's name in a table."""


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
