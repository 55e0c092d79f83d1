"""The example notebook runs, with a bar and figures where it promises them."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.pages import ROOT

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (it comes with lenet[test])")
import nbformat  # noqa: E402

NOTEBOOK = ROOT / "docs/first_run.ipynb"


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.slow
def test_every_cell_runs_and_shows_what_it_promises(workplace: Path, records, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    shutil.copy(NOTEBOOK, workplace)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(workplace)}})
    asyncio.run(client.async_execute())
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = {
        cell.source.splitlines()[-1]: [kind for output in cell.outputs for kind in output.get("data", ())]
        for cell in cells
    }
    for figure in ("filters_forming", "mistakes", "feature_maps"):
        assert "image/png" in shown[f'result.figures["{figure}"]']
    texts = [output["data"]["text/plain"] for cell in cells for output in cell.outputs if "data" in output]
    assert max(map(len, texts)) < 1000, "a figure's bytes are stored a second time"
    assert "text/html" in shown["result"]
    assert "application/vnd.jupyter.widget-view+json" in shown["result"]  # the bar
    told = "".join(str(output) for cell in cells for output in cell.outputs)
    assert "Traceback" not in told
    assert "of 500 right" in told
    assert [run.info.status for run in records()] == ["FINISHED"] * 3
