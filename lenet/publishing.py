"""A finished run's MLflow model: which weights it has, and where it is put."""

import logging
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from lenet import checkpoint
from lenet.build import Plan
from lenet.continuation import Continuation
from lenet.errors import UserError
from lenet.session import Session
from lenet.training.keeper import Keeper, weights_of
from lenet.training.state import Arrays
from lenet.trust import other_modules

if TYPE_CHECKING:
    from lenet.tracking.run import Run

log = logging.getLogger(__name__)


def log_model(run: "Run", plan: Plan, session: Session, keeper: Keeper, earlier: Continuation | None) -> None:
    """Record the run's model, in place of the one of a run that goes on (`earlier`); none where no weights are kept.

    It has a copy of the weights of the best checkpoint, or of the last where no best one is kept: the checkpoints
    themselves would not be there for whoever is given the model alone. Its folder is complete once `MLmodel` is there.
    """
    from lenet.tracking.model import HISTORY, MODEL, model_files  # MLflow takes more than a second to import

    found = _weights(keeper, earlier)
    if found is None:
        log.debug("no model: no weights are kept (trainer.checkpoints)")
        return
    code = files("lenet").joinpath("serving.py").read_bytes()
    example = session.dataset.test_images[:1]
    contents, history = model_files(run.id, checkpoint.dumps(*found), code, example, other_modules(plan.config))
    for name, data in contents.items():
        run.log_bytes(data, f"{MODEL}/{name}")
    run.set_tag(HISTORY, history)


def _weights(keeper: Keeper, earlier: Continuation | None) -> tuple[Arrays, dict[str, Any]] | None:
    """Return the weights that stand for the run, and what is said of them; None where there are none."""
    if keeper.settings.keeps_best and keeper.best_epoch is not None:
        best = keeper.best or _from_before(keeper.best_epoch, earlier)
        if best:
            return best
    return weights_of(*keeper.state()) if keeper.settings.keeps_last else None


def _from_before(epoch: int, earlier: Continuation | None) -> tuple[Arrays, dict[str, Any]] | None:
    """Return what a run that goes on had found best before."""
    try:
        saved = earlier.stored.checkpoint("best") if earlier else None
    except UserError as error:
        log.warning("%s", error)
        saved = None
    if saved and saved.meta.get("epoch") == epoch:
        return weights_of(saved.arrays, saved.meta)
    log.warning("checkpoints/best.npz is not that of epoch %d, the best: the model has other weights", epoch)
    return None
