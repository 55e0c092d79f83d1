"""What each layer of a trained network makes of one digit."""

import numpy as np
from matplotlib.figure import Figure

from lenet import plots
from lenet.build import build
from lenet.config import compose_config
from lenet.layers import Flatten
from lenet.memory import Workspace
from lenet.session import open_session
from lenet.training.trainer import Trainer
from lenet.workbench import Workbench


def feature_maps() -> Figure:
    """Train the defaults for ten epochs, and show the way of the first test image whose class is found."""
    plan = build(compose_config(["backend=numpy", "trainer.epochs=10"]))
    with open_session(plan, Workbench()) as session:
        trainer = Trainer(
            engine=session.engine,
            optimizer=plan.optimizer,
            schedule=plan.schedule,
            sampler=plan.trainer.sampler,
            epochs=plan.trainer.epochs,
            seed=plan.seed,
            validate=lambda epoch: session.validate(plan.seed, epoch),
        )
        for _ in trainer.train(lambda progress: None):
            pass
        scores = session.engine.score("test")
        first = np.flatnonzero(scores.predictions == scores.labels)[:1]
        x, _ = session.engine.tables["test"].batch(first, Workspace(session.backend))
        outputs = [("image", np.array(x)[0])]
        for layer in session.network.layers:
            x = layer.forward(x)
            if not isinstance(layer, Flatten):
                outputs.append((layer.name, np.array(x)[0]))
        odds = np.exp(outputs[-1][1] - outputs[-1][1].max())
        return plots.feature_maps(outputs, odds / odds.sum(), session.dataset.classes)
