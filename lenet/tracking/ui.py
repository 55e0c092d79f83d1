"""Where MLflow's own pages show what was recorded."""

import shlex
from urllib.parse import quote

from lenet.tracking.address import DEFAULT, SERVERS, mask, tracking_uri


def how_to_look(uri: str, experiment_id: str, parent: str | None = None) -> str:
    """Say how to open the UI on the store `uri`, and the address at which it shows a sweep's children as charts.

    Without a filter and a sort the UI folds children under their parent and shows no charts of them.
    """
    query = "workflowType=machine_learning"
    if parent:
        mine = quote(f"tags.mlflow.parentRunId = '{parent}'", safe="")
        order = quote("metrics.`val/accuracy`", safe="")
        query = f"compareRunsMode=CHART&searchFilter={mine}&orderByKey={order}&orderByAsc=false&{query}"
    page = f"#/experiments/{experiment_id}/runs?{query}"
    if uri.startswith(SERVERS):
        return f"compare at {mask(uri)}/{page}"
    store = "" if _is_default(uri) else f" --backend-store-uri {shlex.quote(mask(uri))}"
    return f"compare: `mlflow ui{store}`, then open\nhttp://127.0.0.1:5000/{page}"


def _is_default(uri: str) -> bool:
    """Say whether a bare `mlflow ui` in this folder, which knows nothing of `MLFLOW_TRACKING_URI`, shows the store."""
    return uri == tracking_uri(DEFAULT)
