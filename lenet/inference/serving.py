"""The code of a run's MLflow model: a copy of this file lies beside its weights, and MLflow runs it to load them.

The model takes pixels as the network was trained on, uint8 (N, C, H, W), and tells of each image what
`python -m lenet.predict --raw` does. It needs lenet, installed; layers of other modules, which the model's
configuration `allow` names, must be found on Python's path. What it uses of lenet are the names that `lenet` itself
offers: a model outlives the version that recorded it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from lenet import Prediction, load


class Classifier(PythonModel):
    """A trained network as MLflow knows models."""

    def load_context(self, context: PythonModelContext) -> None:
        allowed = (context.model_config or {}).get("allow", ())
        self.trained = load(Path(context.artifacts["weights"]), allow=allowed)

    # MLflow warns of an array whose hint says more; what it may be, the model's signature says.
    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        return pd.DataFrame(self.trained.predict(model_input), columns=list(Prediction.__dataclass_fields__))


set_model(Classifier())
