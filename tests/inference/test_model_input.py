"""What a run's MLflow model takes and refuses, in Python and as MLflow's server gives it on."""

import json
import re

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc import scoring_server

BLANK = np.zeros((1, 1, 28, 28), np.int64)


def posted(uri, **body):
    """Return what MLflow's server answers: the status, and the predictions or what is wrong."""
    model = mlflow.pyfunc.load_model(uri)
    schema = model.metadata.get_input_schema()
    try:
        answer = scoring_server.invocations(json.dumps(body), "application/json", model, schema)
    except mlflow.MlflowException as error:
        return error.get_http_status_code(), json.loads(error.serialize_as_json())["message"]
    return answer.status, json.loads(answer.response)["predictions"]


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (BLANK / 255, "float64 [1, 1, 28, 28]"),
        (BLANK + 1.5, "float64 [1, 1, 28, 28]"),
        (BLANK + 300, "int64 [1, 1, 28, 28] from 300 to 300"),
        (BLANK - 1, "int64 [1, 1, 28, 28] from -1 to -1"),
        (BLANK > 0, "bool [1, 1, 28, 28]"),
        (BLANK[0], "int64 [1, 28, 28]"),
        (BLANK[:0], "float64 [0]"),
    ],
)
def test_what_are_no_pixels_is_refused_in_a_line_and_never_cast(uri, images, found):
    status, message = posted(uri, inputs=images.tolist())
    assert status == 400
    assert message.startswith("images: found ")
    assert found in message
    assert message.endswith("; accepted: whole numbers from 0 to 255, uint8 [N, 1, 28, 28].")
    if len(images):
        with pytest.raises(mlflow.MlflowException, match=re.escape(message)):
            mlflow.pyfunc.load_model(uri).predict(images)


def test_lists_that_make_no_array_are_refused_in_a_line(uri):
    status, message = posted(uri, inputs=[BLANK[0].tolist(), [[1, 2]]])
    assert status == 400
    assert message.startswith("images: found lists or cells that make no array; accepted: ")


def test_lists_and_tables_with_an_image_in_each_cell_are_taken_as_arrays_are(uri, digits):
    model = mlflow.pyfunc.load_model(uri)
    expected = model.predict(digits[:3])
    flat = digits[:3].reshape(3, -1)
    forms = [
        digits[:3].tolist(),
        digits[:3].astype(np.int64),
        pd.DataFrame({"image": list(digits[:3])}),
        pd.DataFrame({"image": flat.tolist()}),
        pd.Series(list(flat)),
    ]
    for form in forms:
        assert model.predict(form).equals(expected)
    assert posted(uri, inputs=digits[:3].tolist()) == (200, expected.to_dict("records"))
    with pytest.raises(mlflow.MlflowException, match="images: found float64"):
        model.predict(pd.DataFrame({"image": (flat / 255).tolist()}))
