"""An evaluation in words and tables, for a terminal."""

import textwrap

from lenet.common.tables import COLUMNS, cut, display_width, number, to_table
from lenet.inference.evaluation import Evaluation
from lenet.inference.exam import Differences, Exam
from lenet.inference.prediction import way_in_words

NAME = 16
"""Characters of a class's name in a table."""
TRUE = 11
"""Those in the confusion matrix's rows: its header makes that column as wide."""
MEANS = "means of classes, 0 where undefined"


def what_is_compared(evaluation: Evaluation) -> str:
    """Say in a few lines which network is scored on which images, and what counts as right."""
    e = evaluation
    lines = [
        f"{cut(e.stored.record.name, 30)}, {e.which} checkpoint (epoch {e.trained.description.epoch}),",
        *textwrap.wrap(_which_images(e.exam, len(e.scores.labels)), COLUMNS),
    ]
    if e.exam.left_out:
        lines.append(f"left out: {e.exam.left_out:,} that the run was trained on or chose its best epoch by")
    if e.exam.chosen_by:
        lines.append("its best epoch was chosen by random ones of these (data.validation=report)")
    if e.exam.left_out is None:
        lines.append("whether it was trained on some of them is not known: its own data are not there")
    if e.exam.prepared:
        lines += textwrap.wrap(way_in_words(e.exam.prepared, e.trained), COLUMNS)
    if not e.exam.is_same:
        lines.append("pixels are scaled as for the data that it was trained on")
    if e.trained.loss.about_probabilities:
        lines.append(e.trained.loss.about_probabilities)
    if difference := e.exam.difference(e.trained):
        lines.append(_warning(difference, e))
    if e.how == "by name":
        lines.append("classes are compared by name")
    if e.how == "by position":
        lines.append("classes have other names, and are compared by position: right is")
        pairs = zip(e.trained.classes, e.exam.classes, strict=True)
        lines += textwrap.wrap(", ".join(f"{own} for {other}" for own, other in pairs), COLUMNS - 1)
    return "\n".join(lines) + "\n"


def render(evaluation: Evaluation) -> str:
    """Return an evaluation as tables."""
    e, metrics = evaluation, evaluation.metrics()
    means = f"precision {metrics['precision']:.4f}  recall {metrics['recall']:.4f}: {MEANS}\n"
    parts = [
        what_is_compared(e),
        f"loss {metrics['loss']:.4f}  accuracy {metrics['accuracy']:.4f}{_in_training(e)}\n{means}",
        _class_table(e),
        _confusion_table(e),
        f"calibration error {metrics['calibration_error']:.4f}: the mean distance of confidence and accuracy\n",
        _calibration_table(e),
    ]
    return "\n".join(part for part in parts if part)


def _which_images(exam: Exam, count: int) -> str:
    """Say how many images are scored, and which of what data."""
    kind = "test images" if exam.is_test_set else "images"
    if exam.left_out:
        which = f"{count:,} of the {count + exam.left_out:,} {kind}"
    elif exam.is_test_set:
        which = f"the {count:,} test images"
    else:
        which = f"all {count:,} images" if count > 1 else "the only image"
    own = "its own data" if exam.is_own else "other data than its own"
    if exam.is_same and not exam.is_own:
        own = "the data that it was trained on"
    return f"on {which} of {cut(exam.name, 30)}, {own}"


def _warning(difference: Differences, evaluation: Evaluation) -> str:
    """Say how the images differ from those of the training, and what to do."""
    if difference == "not like MNIST":
        return "warning: not framed as MNIST's digits, on which it was trained: try --prepare"
    own = evaluation.trained.framing.background
    other = "dark" if own == "light" else "light"
    advice = "try --prepare" if evaluation.exam.are_files else "invert them"
    return f"warning: their background is {other}, the training images' {own}: {advice}"


def _in_training(evaluation: Evaluation) -> str:
    """Return what the run itself reached with its last weights on its own test images."""
    found = [evaluation.stored.record.metrics.get(f"test/{key}") for key in ("loss", "accuracy")]
    if not evaluation.exam.is_own or None in found:
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
    """Return how often each class (row) was taken for each (column), or where that is if a terminal has no room."""
    names = [cut(name, 5) for name in evaluation.trained.classes]
    true = [cut(name, TRUE) for name in evaluation.true_classes]
    if len(set(names)) == len(names) <= COLUMNS // 5:
        rows = [
            {"taken for": name, **{other: str(count or "") for other, count in zip(names, row, strict=True)}}
            for name, row in zip(true, evaluation.scores.confusion(len(names)).tolist(), strict=True)
        ]
        table = to_table(rows, "table", right=names)
        if display_width(table) <= COLUMNS:
            return table
    return "no room for the confusion matrix: see confusion_matrix.png in the artifacts\n"


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
