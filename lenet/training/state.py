"""The whole state of a training, as a checkpoint holds it and as a trainer goes on from it.

What it holds besides arrays: `epoch` and `step`, the sums `loss` and `accuracy` over the steps of the epoch under way
and the `seconds` they took, and `history`. In the middle of an epoch, `epoch_start/…` are the arrays from which that
epoch began, to which training falls back if it diverges. All else (an epoch's order, the rate of a step, what is best
so far, how long there was no better) is a function of these, of the seed and of the configuration.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from lenet import checkpoint
from lenet.arrays.backend import Array
from lenet.checkpoint import Checkpoint
from lenet.checkpoint.meta import reading
from lenet.errors import UserError
from lenet.network import Network
from lenet.training.trainer import EpochStart, Progress, Trainer

Arrays = dict[str, np.ndarray[Any, Any]]

START = "epoch_start/"
METRICS = frozenset(("train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr", "samples_per_second"))
"""What each record of the history holds."""

Count = Annotated[int, Field(ge=0)]


class State(BaseModel):
    """What a checkpoint's `meta` says of where training stands; other keys are not looked at."""

    model_config = ConfigDict(strict=True, frozen=True)

    epoch: Count
    step: Count
    loss: FiniteFloat
    accuracy: FiniteFloat
    seconds: Annotated[FiniteFloat, Field(ge=0)]
    history: list[dict[str, float]]


def capture(trainer: Trainer) -> tuple[Arrays, dict[str, Any]]:
    """Return a trainer's state as arrays on the host and what is to stand in `meta`.

    Where a step has been broken off, or what it made is not finite, it is the state from which the epoch began.
    """
    progress, start, network = trainer.progress, trainer.epoch_start, trainer.network
    sums = [*progress.sums.tolist(), progress.seconds]
    epoch, step, vectors = progress.epoch, progress.step, trainer.vectors()
    if not (trainer.at_rest and all(map(math.isfinite, sums)) and trainer.is_finite()):
        epoch, step, vectors, sums = start.epoch, trainer.first_step(start.epoch), start.vectors, [0.0, 0.0, 0.0]
    arrays = _named(vectors, network)
    if step > trainer.first_step(epoch):
        arrays |= {f"{START}{name}": array for name, array in _named(start.vectors, network).items()}
    loss, accuracy, seconds = sums
    history = [dict(record) for record in progress.history[:epoch]]
    state = State(epoch=epoch, step=step, loss=loss, accuracy=accuracy, seconds=seconds, history=history)
    return arrays, state.model_dump()


def restore(trainer: Trainer, saved: Checkpoint) -> None:
    """Have a new trainer go on from a checkpoint.

    Raises `UserError`, with nothing changed, where its arrays or its state do not fit the trainer or each other.
    """
    state = read_state(saved)
    _check_position(saved, state, trainer)
    vectors = trainer.vectors()
    views = {name: trainer.network.views(vector) for name, vector in vectors.items()}
    expected = {f"{kind}/{name}": view for kind, named in views.items() for name, view in named.items()}
    within = state.step > trainer.first_step(state.epoch)
    prefixes = [START, ""] if within else [""]
    checkpoint.check(saved, {prefix + name: view for prefix in prefixes for name, view in expected.items()})
    for prefix in prefixes:
        for name, view in expected.items():
            view[...] = trainer.backend.array(saved.arrays[prefix + name])
        if prefix or not within:
            copies = {name: vector.copy() for name, vector in vectors.items()}
            trainer.epoch_start = EpochStart(state.epoch, copies)
    sums = trainer.backend.array([state.loss, state.accuracy], np.float64)
    trainer.progress = Progress(sums, state.epoch, state.step, state.seconds, state.history)


def read_state(saved: Checkpoint) -> State:
    """Return what a checkpoint says of where training stands; raise `UserError` where that cannot be."""
    with reading(saved):
        state = State.model_validate(dict(saved.meta))
    if len(state.history) != state.epoch:
        _refuse(saved, f"its history has {len(state.history)} epochs, and {state.epoch} are finished")
    if any(set(record) != METRICS for record in state.history):
        _refuse(saved, f"not every epoch of its history has {', '.join(sorted(METRICS))}, and nothing else")
    return state


def _check_position(saved: Checkpoint, state: State, trainer: Trainer) -> None:
    first, steps = trainer.first_step(state.epoch), trainer.steps_per_epoch
    if not first <= state.step <= first + steps:
        _refuse(saved, f"step {state.step} is not of epoch {state.epoch + 1}, where an epoch has {steps} steps")


def _refuse(saved: Checkpoint, problem: str) -> NoReturn:
    raise UserError(f"checkpoint {saved.path}: `meta` contradicts itself or this training: {problem}.")


def _named(vectors: Mapping[str, Array], network: Network) -> Arrays:
    """Return copies, on the host, of flat vectors by parameter: `param/conv1/weight`, `velocity/conv1/weight`, ….

    In their logical shapes and in C order, wherever and however they lie.
    """
    return {
        f"{kind}/{name}": np.array(view, order="C")
        for kind, vector in vectors.items()
        for name, view in network.views(network.backend.to_host(vector)).items()
    }
