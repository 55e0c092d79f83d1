"""A run's MLflow model: the files of its folder, for MLflow's `python_function` flavor, from code and without pickles.

It is a folder among the run's artifacts (`runs:/RUN/model`), so that it goes where they go: delivered later if the
store does not answer, and removed with the run. MLflow's own `log_model` makes a second entity in the store, which is
none of this, takes four more requests, and has every `runs:/` address searched for among all models of the experiment.
"""

import json
import platform
from collections.abc import Collection, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc import add_to_model
from mlflow.types import ColSpec, Schema, TensorSpec

MODEL = "model"
"""The artifact folder, and what comes after the run's id in the model's address."""
WEIGHTS, CODE = "weights.npz", "serving.py"
EXAMPLE, SERVING_EXAMPLE = "input_example.json", "serving_input_example.json"
REQUIREMENTS, ENVIRONMENT = "requirements.txt", "python_env.yaml"
FILES = {
    WEIGHTS: True,
    CODE: True,
    EXAMPLE: False,
    SERVING_EXAMPLE: False,
    REQUIREMENTS: True,
    ENVIRONMENT: True,
    "MLmodel": True,
}
"""Its files, and whether there is no model without them."""
PACKAGES = ("mlflow", "numpy", "pandas", "pydantic", "pyyaml", "scipy")
HISTORY = "mlflow.log-model.history"
"""The tag by which MLflow's pages know which artifacts of a run are models."""
OUTPUT = Schema([ColSpec("string", "label"), ColSpec("double", "probability"), ColSpec("string", "runner_up")])
LARGEST_EXAMPLE = 1 << 18
"""Numbers of an image from which on it is no example: as text it would be larger than the weights."""


def model_files(
    run_id: str, weights: bytes, code: bytes, example: npt.NDArray[np.uint8], allowed: Collection[str]
) -> tuple[dict[str, bytes], str]:
    """Return the files of a model by name, `MLmodel` last, and the value of the tag `HISTORY` for it.

    `weights` is a checkpoint, `code` the text of the module that makes a model of it, `example` an image (1, C, H, W),
    `allowed` the modules that it may use besides those of lenet.
    """
    files = {WEIGHTS: weights, CODE: code, **_environment()}
    signature = ModelSignature(Schema([TensorSpec(np.dtype(np.uint8), (-1, *example.shape[1:]))]), OUTPUT)
    # Leaves it to the model what it refuses: by a signature of its own, MLflow's server casts 0.5 to the pixel 0.
    signature._is_signature_from_type_hint = True
    model = Model(artifact_path=MODEL, run_id=run_id, signature=signature)
    if example.size <= LARGEST_EXAMPLE:
        text = json.dumps(example.tolist(), separators=(",", ":"))
        files |= {EXAMPLE: text.encode(), SERVING_EXAMPLE: f'{{"inputs":{text}}}'.encode()}
        model.saved_input_example_info = {
            "artifact_path": EXAMPLE,
            "serving_input_path": SERVING_EXAMPLE,
            "type": "ndarray",
        }
    add_to_model(  # type: ignore[no-untyped-call]
        model,
        loader_module="mlflow.pyfunc.loaders.code_model",
        model_code_path=CODE,
        python_env=ENVIRONMENT,
        model_config={"allow": list(allowed)} if allowed else None,
        artifacts={"weights": {"path": WEIGHTS, "uri": WEIGHTS}},
    )
    model.model_size_bytes = sum(map(len, files.values()))
    files["MLmodel"] = model.to_yaml().encode()
    return files, json.dumps([model.get_tags_dict()])


@cache
def _environment() -> Mapping[str, bytes]:
    """Return what MLflow installs where it is asked to make an environment. lenet itself is on no index of packages."""
    lines = [f"{name}=={version(name)}" for name in PACKAGES]
    environment: dict[str, Any] = {
        "python": platform.python_version(),
        "build_dependencies": ["pip"],
        "dependencies": [f"-r {REQUIREMENTS}"],
    }
    own = "# and lenet itself, as it was installed for the run: --env-manager local takes what is there\n"
    return {
        REQUIREMENTS: (own + "\n".join(lines) + "\n").encode(),
        ENVIRONMENT: yaml.safe_dump(environment, sort_keys=False).encode(),
    }
