"""A run whose checkpoint, artifacts or names were altered, gone on with: refused in one message, nothing changed."""

import shutil
import sqlite3

import numpy as np
import pytest
from mlflow import MlflowClient

from lenet import reproduce, resume
from tests.conftest import Stopped, artifacts
from tests.stopping import altered, train, unchanged


def _not_finite(arrays_, meta):
    arrays_["param/conv1/weight"] = np.full_like(arrays_["param/conv1/weight"], np.nan)


ALTERATIONS = {
    "not finite": (_not_finite, "not finite"),
    "missing": (lambda a, m: a.pop("velocity/conv1/bias"), "`velocity/conv1/bias` is missing"),
    "extra": (lambda a, m: a.update(more=np.zeros(3)), "`more`"),
    "dtype": (lambda a, m: a.update({"param/conv1/bias": np.zeros(6)}), "float64"),
    "no epoch start": (lambda a, m: [a.pop(n) for n in list(a) if n.startswith("epoch_start")], "epoch_start/"),
    "step": (lambda a, m: m.update(step=40), "step 40"),
    "negative step": (lambda a, m: m.update(step=-1), "`step`"),
    "epoch": (lambda a, m: m.update(epoch="1"), "`epoch`"),
    "history": (lambda a, m: m.update(history=[]), "history has 0 epochs"),
    "record": (lambda a, m: m["history"][0].pop("lr"), "not every epoch"),
    "sums": (lambda a, m: m.update(loss=float("nan")), "`loss`"),
    "configuration": (lambda a, m: m["config"]["optimizer"].update(lr=1.0), "`optimizer.lr` 1.0"),
    "no configuration": (lambda a, m: m.update(config=3), "was made with"),
    "data": (lambda a, m: m.update(data_digest="0"), "the data are not those"),
}


def test_a_link_out_of_the_artifacts_is_not_followed(workplace, records, capsys, stop_at):
    stop_at(8)
    with pytest.raises(Stopped):
        train("trainer.checkpoint_every=2steps")
    outside = workplace / "outside"
    (artifacts(records()[0]) / "checkpoints").rename(outside)
    (artifacts(records()[0]) / "checkpoints").symlink_to(outside)
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    assert resume.main(["last"]) == 1
    assert "leads out of the run's artifacts" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before


def test_artifacts_are_written_to_no_place_that_a_store_makes_up(workplace, records, capsys, stop_at):
    stop_at(8)
    with pytest.raises(Stopped):
        train("trainer.checkpoint_every=2steps")
    place = workplace / "mine"
    shutil.copytree(artifacts(records()[0]), place)
    (place / ".notes.0123abcd").touch()
    with sqlite3.connect(workplace / "mlflow.db") as connection:
        connection.execute("UPDATE runs SET artifact_uri = ?", (str(place),))
    connection.close()
    assert resume.main(["last"]) == 2
    assert "no folder of this run" in capsys.readouterr().err
    assert (place / ".notes.0123abcd").exists()


def test_nothing_in_a_store_steers_the_terminal(workplace, records, capsys):
    assert train() == 0
    run_id = records()[0].info.run_id
    client = MlflowClient()
    client.update_run(run_id, name="evil\x1b]0;x\x07\x1b[31mred")
    config = artifacts(records()[0]) / "config/config.yaml"
    for command in (lambda: resume.main([run_id]), lambda: resume.main([run_id, "trainer.epochs=4"])):
        command()
        assert "\x1b" not in "".join(capsys.readouterr())
    config.write_text(config.read_text().replace("seed: 0", '"se\\ed": 0'))
    assert reproduce.main([run_id]) == 2
    output = "".join(capsys.readouterr())
    assert "\x1b" not in output
    assert "found the key" in output


def test_a_step_that_no_epoch_has_is_refused_at_once(records, capsys, stop_at):
    stop_at(8, saving=True)
    with pytest.raises(Stopped):
        train()
    altered(artifacts(records()[0]) / "checkpoints/last.npz", lambda a, m: m.update(step=10**12))
    assert resume.main(["last", "trainer.epochs=4"]) == 2
    assert "where an epoch has 6 steps" in capsys.readouterr().err


def test_two_configurations_that_differ_only_within_a_long_value_are_two(records, capsys, stop_at):
    stop_at(8, saving=True)
    with pytest.raises(Stopped):
        train()
    path = artifacts(records()[0]) / "checkpoints/last.npz"
    altered(path, lambda a, m: m["config"]["network"].update(note="x" * 100 + "a" + "x" * 100))
    config = artifacts(records()[0]) / "config/config.yaml"
    text = config.read_text()
    config.write_text(text.replace("network:\n", f"network:\n  note: {'x' * 100}b{'x' * 100}\n"))
    assert resume.main(["last"]) == 2
    assert "`network.note`" in capsys.readouterr().err


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_a_checkpoint_that_does_not_fit_is_refused_and_nothing_changed(alteration, records, capsys, stop_at):
    stop_at(8, saving=True)
    with pytest.raises(Stopped):
        train()
    before = records()
    change, said = ALTERATIONS[alteration]
    path = artifacts(before[0]) / "checkpoints/last.npz"
    altered(path, change)
    data = path.read_bytes()
    capsys.readouterr()
    assert resume.main(["last"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert unchanged(before, records())
    assert path.read_bytes() == data
