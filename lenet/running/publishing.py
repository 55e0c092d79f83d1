"""A finished run's MLflow model: which weights it has, and where it is put."""

import logging
from importlib.resources import files
from typing import TYPE_CHECKING

from lenet import checkpoint
from lenet.configuration.build import Plan
from lenet.configuration.trust import other_modules
from lenet.errors import Failure, UserError
from lenet.recorded.stored import Stored
from lenet.running.session import Session
from lenet.training.keeper import Keeper, weights_of

if TYPE_CHECKING:
    from lenet.tracking.run import Run

log = logging.getLogger(__name__)


def log_model(run: "Run", plan: Plan, session: Session, keeper: Keeper) -> None:
    """Record the run's model, in place of an earlier one of a run that went on; none where no weights are kept.

    It has a copy of the weights of the best checkpoint, or of the last where no best one is kept: the checkpoints
    themselves would not be there for whoever is given the model alone. Its folder is complete once `MLmodel` is there.
    """
    from lenet.tracking.model import HISTORY, MODEL, model_files  # MLflow takes more than a second to import

    if not (keeper.best or keeper.settings.keeps_last):
        log.debug("no model: no weights are kept (trainer.checkpoints)")
        return
    weights = checkpoint.dumps(*(keeper.best or weights_of(*keeper.state())))
    code = files("lenet.inference").joinpath("serving.py").read_bytes()
    example = session.dataset.test_images[:1]
    contents, history = model_files(run.id, weights, code, example, other_modules(plan.config))
    for name, data in contents.items():
        run.log_bytes(data, f"{MODEL}/{name}")
    run.set_tag(HISTORY, history)


def recall_best(keeper: Keeper, stored: Stored) -> None:
    """Have the keeper of a run that goes on know the weights that the run had found best before."""
    if not keeper.settings.keeps_best or keeper.best_epoch is None:
        return
    try:
        saved = stored.checkpoint("best")
    except (UserError, Failure) as error:
        log.warning("%s", error)
        saved = None
    if saved and saved.meta.get("epoch") == keeper.best_epoch:
        keeper.best = weights_of(saved.arrays, saved.meta)
    else:
        told = "checkpoints/best.npz is not that of epoch %d: unless a better one comes, the model has the last weights"
        log.warning(told, keeper.best_epoch)
