"""Sweeps recorded by servers and databases, each started for it."""

import pytest

from lenet.run import main
from tests.cluster.helpers import (
    ONE_EPOCH,
    needs_ray,
    on_ray,
    sweep,
)
from tests.conftest import DRAWN, family

pytestmark = pytest.mark.cluster


def test_a_server_gets_everything_of_a_sweep_and_answers_comparisons(mlflow_server, workplace, capsys):
    from mlflow import MlflowClient

    from lenet.compare import main as compare

    uri, folder = mlflow_server
    assert main([*DRAWN, f"tracking.uri={uri}", "optimizer.lr=0.0001,0.02", "-m"]) == 0
    client = MlflowClient(uri)
    parent, children = family(client.search_runs([client.get_experiment_by_name("lenet").experiment_id]))
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    stored = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    def of(run):
        home = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
        return {name.removeprefix(f"{home}/") for name in stored if name.startswith(home)}

    for child in children:
        assert {"checkpoints/last.npz", "checkpoints/best.npz", "figures/curves.png", "config/config.yaml"} <= of(child)
        assert {"log.txt", "environment.json", "config/overrides.yaml", "figures/mistakes.png"} <= of(child)
    assert {"sweep/results.csv", "sweep/best.json", "figures/sweep.png", "figures/curves_val_loss.png"} <= of(parent)
    assert not (workplace / "mlruns/1").exists()
    capsys.readouterr()
    assert compare(["last", f"tracking.uri={uri}"]) == 0
    assert "lr=0.02" in capsys.readouterr().out


@needs_ray
def test_jobs_on_ray_record_where_the_environment_of_the_sweep_says(ray_head, postgres, workplace, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgres)
    code, _, errors = sweep("seed=0,1", *ONE_EPOCH, *on_ray(ray_head))
    assert code == 0, errors
    client = MlflowClient(postgres)
    parent, children = family(client.search_runs([client.get_experiment_by_name("lenet").experiment_id]))
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3
