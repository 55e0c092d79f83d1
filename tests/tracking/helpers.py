"""How the tests of tracking look at what was written."""

from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from lenet.tracking.run import Run


def artifacts(client: MlflowClient, run: Run) -> Path:
    return Path(client.get_run(run.id).info.artifact_uri)


def calls(monkeypatch: pytest.MonkeyPatch, method: str) -> list[Any]:
    """Record the sizes of the batches that are sent."""
    sent: list[Any] = []
    original = getattr(MlflowClient, method)

    def recording(self: MlflowClient, *arguments: Any, **keywords: Any) -> Any:
        sent.append(keywords)
        return original(self, *arguments, **keywords)

    monkeypatch.setattr(MlflowClient, method, recording)
    return sent
