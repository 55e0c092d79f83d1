"""`sweep.register=NAME`: the best run's model becomes a version of that name, which stays what it is."""

import mlflow
import numpy as np
import pytest

from lenet import checkpoint, resume
from lenet.run import main
from lenet.tracking.failures import StoreAway, TrackingError
from lenet.tracking.store import Store
from tests.conftest import SMALL, artifacts, family
from tests.inference.test_model import weights

SWEEP = (*SMALL, "trainer.figures=none", "optimizer.lr=1e-6,0.01", "hydra/launcher=basic", "-m")


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    monkeypatch.setattr("lenet.plots.to_png", lambda figure: b"figure")


def versions(client):
    return sorted(client.search_model_versions("name = 'bars'"), key=lambda version: int(version.version))


def outputs(version):
    return mlflow.pyfunc.load_model(f"models:/bars/{version}").predict(np.eye(16, dtype=np.uint8)[None, None] * 200)


@pytest.mark.slow
def test_the_best_runs_model_is_registered_once_and_stays_what_it_is(workplace, client, records, capsys):
    mlflow.set_tracking_uri(f"sqlite:///{workplace / 'mlflow.db'}")
    assert main([*SWEEP, "sweep.register=bars"]) == 0
    assert "mlflow models serve -m models:/bars/1 --env-manager local" in capsys.readouterr().out
    parent, children = family(records())
    (version,) = versions(client)
    best = next(child for child in children if child.info.run_id == parent.data.tags["best_run"])
    assert (version.run_id, parent.data.tags["lenet.registered"]) == (best.info.run_id, "bars/1")
    expected = outputs(1)
    again = [*SWEEP, f"sweep.resume={parent.info.run_id}", "sweep.register=bars"]
    assert main(again) == 0
    assert len(versions(client)) == 1, "these weights are registered"

    (path,) = workplace.glob("mlruns/*/models/*/artifacts/weights.npz")
    registered, before = path.read_bytes(), weights(best)
    (artifacts(best) / "checkpoints/best.npz").unlink()  # so that the last weights are the model's
    assert resume.main([best.info.run_id, "trainer.epochs=5"]) == 0
    assert weights(best) != before
    assert path.read_bytes() == registered
    assert outputs(1).equals(expected)
    model = mlflow.pyfunc.load_model(f"runs:/{best.info.run_id}/model")
    assert not model.predict(np.eye(16, dtype=np.uint8)[None, None] * 200).equals(expected)
    assert checkpoint.load(path).meta["epoch"] <= 3
    mlflow.set_tracking_uri(None)


@pytest.mark.slow
def test_a_model_that_cannot_be_registered_fails_the_sweep_and_can_be_later(
    workplace, client, records, monkeypatch, capsys
):
    def refused(*_):
        raise TrackingError("no registry")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "register", refused)
        assert main([*SWEEP, "sweep.register=bars"]) == 1
    output = capsys.readouterr().out
    assert "could not be registered as bars: no registry" in output
    assert "sweep.register=bars sweep.resume=" in output
    parent, children = family(records())
    assert parent.info.status == "FAILED"
    assert [child.info.status for child in children] == ["FINISHED", "FINISHED"]
    assert main([*SWEEP, "sweep.register=bars", "sweep.resume=last"]) == 0
    assert versions(client)[0].run_id == parent.data.tags["best_run"]


def test_where_all_jobs_have_diverged_nothing_is_registered_and_nothing_said_to_be_missing(workplace, records, capsys):
    diverging = [*SMALL, "trainer.figures=none", "optimizer=sgd", "optimizer.lr=1e25,2e25", "hydra/launcher=basic"]
    assert main([*diverging, "-m", "sweep.register=bars"]) == 1
    output = capsys.readouterr().out
    assert "no model is registered as bars: there is no best run" in output
    assert "sweep.resume=" not in output
    parent, children = family(records())
    assert parent.info.status == "FAILED"
    assert [child.info.status for child in children] == ["FINISHED", "FINISHED"]


@pytest.mark.slow
def test_a_store_that_is_away_by_then_is_told_of(workplace, records, monkeypatch, capsys):
    def away(*_):
        raise StoreAway("refused")

    monkeypatch.setattr(Store, "register", away)
    assert main([*SWEEP, "sweep.register=bars"]) == 0
    assert "sweep.register=bars sweep.resume=" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*SMALL, "sweep.register=bars"], "sweep.register registers the best run of a sweep"),
        ([*SWEEP, "sweep.register=a/b"], "`sweep.register` is 'a/b'"),
        ([*SWEEP, "sweep.register=''"], "`sweep.register`"),
        ([*SWEEP, "sweep.register=bars", "trainer.checkpoints=none"], "Accepted: both, last or best."),
        ([*SWEEP, "sweep.registr=bars"], "Did you mean `sweep.register`"),
    ],
)
def test_what_cannot_be_registered_is_said_before_anything_is_done(workplace, records, capsys, arguments, said):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
    assert not records()
