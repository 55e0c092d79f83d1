"""The library without the command line, for programs and notebooks: compose, train, load and predict.

What is wrong is raised: `UserError` for what was asked for, `Failure` for work that failed; Ctrl-C (in a notebook,
"interrupt") closes the run as KILLED and is raised as `KeyboardInterrupt`.
"""

import copy
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lenet.checkpoint import load as read_checkpoint
from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.data.drawings import Way, way_for
from lenet.data.gathering import Gathered, meant
from lenet.data.image_files import to_image_file
from lenet.errors import UserError
from lenet.inference.prediction import label
from lenet.inference.trained import Prediction, Trained, Which
from lenet.recorded.choosing import open_finder
from lenet.result import Result
from lenet.running.progress import display_here
from lenet.tracking.tags import NOTE, OWN

__all__ = ["Configuration", "Prediction", "Result", "compose", "load", "predict", "train"]


@dataclass(frozen=True)
class Configuration:
    """A run's whole configuration, checked and resolved, and the overrides that it was composed of."""

    _values: Mapping[str, Any]
    overrides: tuple[str, ...]

    @property
    def values(self) -> dict[str, Any]:
        """A copy: were they changed, they would no longer be what the overrides, which are recorded, compose to."""
        return copy.deepcopy(dict(self._values))

    def __getitem__(self, key: str) -> Any:
        """Return what stands at a key: `configuration["optimizer"]["lr"]`, or `configuration["optimizer.lr"]`."""
        found: Any = self.values
        for part in key.split("."):
            found = found[int(part) if isinstance(found, list) else part]
        return found

    def __repr__(self) -> str:
        return str(yaml.safe_dump(self.values, sort_keys=False, allow_unicode=True))


def compose(*overrides: str, config_dir: str | os.PathLike[str] | None = None) -> Configuration:
    """Return the configuration that overrides make of the defaults, as on the command line: `"optimizer.lr=0.02"`.

    `config_dir` is a folder of your own with `conf/`, `experiments/` or both. Raises `UserError` for what is wrong.
    """
    if not all(isinstance(each, str) for each in overrides):
        raise UserError(f"compose: found {_kinds(overrides)}; accepted: any number of overrides as texts.")
    values = compose_config(overrides, None if config_dir is None else os.fspath(config_dir))
    build(values)
    return Configuration(values, overrides)


def train(*what: str | Configuration, name: str | None = None, tags: Mapping[str, str] | None = None) -> Result:
    """Train, test and record one run, and return what came of it.

    `what` is a configuration, or overrides to compose one of: `train("optimizer.lr=0.02", "trainer.epochs=5")`.
    `tags` are recorded with it, under names that neither lenet nor MLflow uses. Raises `UserError` for what is wrong
    with any of these, and `Failure` where the run fails; its MLflow run is closed by then.
    """
    configurations = [each for each in what if isinstance(each, Configuration)]
    overrides = [each for each in what if isinstance(each, str)]
    if len(configurations) + len(overrides) != len(what) or len(configurations) > (not overrides):
        accepted = "one configuration, or any number of overrides as texts"
        raise UserError(f"train: found {_kinds(what)}; accepted: {accepted}.")
    _check_name_and_tags(name, tags)
    configuration = configurations[0] if configurations else compose(*overrides)
    from lenet.running.experiment import execute  # MLflow takes more than a second to import

    plan = build(configuration.values)
    run_id, _ = execute(plan, configuration.overrides, name, tags, display=display_here())
    return Result(run_id, plan.tracking.uri)  # in the configuration, passwords are masked


def load(
    run: str | Result | os.PathLike[str] = "last",
    *,
    checkpoint: Which | None = None,
    uri: str | None = None,
    allow: Collection[str] = (),
) -> Trained:
    """Return a run's trained network, of its best checkpoint where there is one.

    `run` is a result, or what the commands take: a run's id or the beginning of one, its name, `last`, `best:SWEEP`.
    A `pathlib.Path` is a checkpoint's file instead, which is all that its network needs.
    `uri` is the store (None: where MLflow would look). `allow` names modules of your own that layers come from.
    """
    if isinstance(run, os.PathLike):
        if checkpoint or uri:
            raise UserError(
                f"load: {run} is a checkpoint's file; `checkpoint` and `uri` are for a run. Leave them out."
            )
        return Trained(read_checkpoint(Path(run)), allow)
    if not isinstance(run, str | Result):
        raise UserError(
            f"load: found {type(run).__name__}; accepted: a run's id or name, `last`, `best:SWEEP`, a result, or the "
            "Path of a checkpoint."
        )
    if isinstance(run, str):
        run = Result(open_finder(uri).single(run).id, uri)
    return run.load(checkpoint, allow)


def predict(
    run: str | Result | Trained | os.PathLike[str],
    images: Any,
    *,
    raw: bool = False,
    checkpoint: Which | None = None,
    uri: str | None = None,
    allow: Collection[str] = (),
) -> list[Prediction]:
    """Return what each image shows.

    `images` is an array `(N, C, H, W)` uint8 of pixels as the network takes them; or an image file (its path or its
    bytes), an image of Pillow's, or a sequence of those, which are brought to what the network was trained on as
    `python -m lenet.predict` does (`raw`: taken as they are). As there, a path may be a folder or a pattern too, for
    the images that it means, in the order of their paths. The rest is for `load`. Raises `UserError` for an image that
    cannot be read.
    """
    trained = run if isinstance(run, Trained) else load(run, checkpoint=checkpoint, uri=uri, allow=allow)
    if isinstance(images, np.ndarray):
        return trained.predict(images)
    pictures = images if isinstance(images, Sequence) and not isinstance(images, str | bytes) else [images]
    way: Way = "raw" if raw else way_for(trained.framing)
    found = []
    for _, outcome in label(trained, _gathered(pictures), way):
        if isinstance(outcome, UserError):
            raise outcome
        found.append(outcome)
    return found


def _kinds(given: Sequence[object]) -> str:
    return f"({', '.join(type(each).__name__ for each in given)})"


def _check_name_and_tags(name: object, tags: object) -> None:
    if not isinstance(name, str | None):
        raise UserError(f"train: `name` is {name!r}; accepted: a text.")
    if not isinstance(tags, Mapping | None) or not all(isinstance(key, str) for key in tags or ()):
        raise UserError(f"train: `tags` is {tags!r}; accepted: a mapping of names to texts.")
    for key in tags or ():
        if key.startswith(OWN) and key != NOTE:
            raise UserError(
                f"train: the tag `{key}` is lenet's own; accepted: names that begin with none of {', '.join(OWN)}."
            )


def _gathered(pictures: Sequence[Any]) -> Iterator[Gathered]:
    seen: set[str] = set()
    for picture in pictures:
        if isinstance(picture, str | os.PathLike):
            yield from meant(os.fsdecode(picture), seen)
        else:
            yield "image", to_image_file(picture)
