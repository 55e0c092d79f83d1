"""What each layer of a trained network makes of one digit."""

import numpy as np
from matplotlib.figure import Figure

from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.running import figures
from lenet.running.session import open_session, trainer_of
from lenet.running.workbench import Workbench


def feature_maps() -> Figure:
    """Train the defaults for ten epochs, and show the way of the first test image whose class is found."""
    plan = build(compose_config(["backend=numpy", "trainer.epochs=10"]))
    with open_session(plan, Workbench()) as session:
        for _ in trainer_of(plan, session).train(lambda progress: None):
            pass
        scores = session.engine.score("test")
        return figures.feature_maps(session, int(np.flatnonzero(scores.predictions == scores.labels)[0]))
