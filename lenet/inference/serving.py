"""The code of a run's MLflow model: a copy of this file lies beside its weights, and MLflow runs it to load them.

The model takes pixels as the network was trained on, whole numbers from 0 to 255, (N, C, H, W), and tells of each image
what `python -m lenet.predict --raw` does. It needs lenet, installed; layers of other modules, which the model's
configuration `allow` names, must be found on Python's path. What it uses of lenet are the names that `lenet` itself
offers: a model outlives the version that recorded it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from lenet import Prediction, load


class Classifier(PythonModel):
    """A trained network as MLflow knows models."""

    def load_context(self, context: PythonModelContext) -> None:
        allowed = (context.model_config or {}).get("allow", ())
        self.trained = load(Path(context.artifacts["weights"]), allow=allowed)

    # MLflow would warn of any other hint. Of a caller it may be nested lists or a table as well.
    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        images = as_images(model_input, self.trained.input_shape)
        return pd.DataFrame(self.trained.predict(images), columns=list(Prediction.__dataclass_fields__))


class NoImages(MlflowException):
    """Why an input is refused, which MLflow's server answers with status 400."""

    def __init__(self, found: str, shape: tuple[int, ...]) -> None:
        accepted = f"whole numbers from 0 to 255, uint8 [N, {', '.join(map(str, shape))}]"
        super().__init__(f"images: found {found}; accepted: {accepted}.", INVALID_PARAMETER_VALUE)

    def serialize_as_json(self) -> str:
        """Return the answer without all that was posted, which the server has put before the message by now."""
        self.message = str(self)
        return str(super().serialize_as_json())  # type: ignore[no-untyped-call]


def as_images(given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return images (N, C, H, W) uint8 from whole numbers in an array, in nested lists, or one image a cell of a table.

    Nothing is rounded: pixels that someone has scaled to 0 to 1 would all be black. Raises `NoImages`.
    """
    is_table = isinstance(given, pd.DataFrame | pd.Series)
    try:
        images = np.asarray([np.reshape(cell, shape) for cell in given.to_numpy().flat] if is_table else given)
    except ValueError:
        raise NoImages("lists or cells that make no array", shape) from None
    found = f"{images.dtype} {list(images.shape)}"
    if images.dtype.kind not in "iu" or images.shape[1:] != shape:
        raise NoImages(found, shape)
    if images.size and not 0 <= images.min() <= images.max() <= 255:
        raise NoImages(f"{found} from {images.min()} to {images.max()}", shape)
    return images.astype(np.uint8)


set_model(Classifier())
