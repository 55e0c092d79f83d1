"""What `trainer.figures=all` gathers and draws; that it survives an interruption is held here too."""

import json
import re

import numpy as np
import pytest

from lenet import checkpoint, plots, resume
from lenet.run import main
from tests.conftest import SMALL, Stopped, artifacts
from tests.sameness import assert_same
from tests.stopping import altered

ALL = [*SMALL, "trainer.figures=all", "trainer.epochs=5"]
TAUGHT = {"feature_maps.png", "filters_forming.png", "gradient_norms.png"}


def observed(run):
    return checkpoint.load(artifacts(run) / "checkpoints/last.npz").meta["observed"]


def figures(run):
    return {path.name: path.read_bytes() for path in (artifacts(run) / "figures").iterdir()}


def test_all_figures_and_what_they_are_drawn_from(records):
    assert main(ALL) == 0
    (run,) = records()
    assert set(figures(run)) >= TAUGHT
    told = observed(run)
    assert [int(epoch) for epoch in told["kernels"]] == [0, 1, 2, 4]
    assert [int(epoch) for epoch in told["gradients"]] == [0, 1, 2, 3, 4, 5]
    assert list(told["gradients"]["0"]) == ["conv1", "conv2", "linear1", "linear2", "linear3"]


def test_kernels_are_the_weights_of_their_epochs(records):
    assert main([*ALL, "trainer.epochs=2"]) == 0
    (run,) = records()
    saved = checkpoint.load(artifacts(run) / "checkpoints/last.npz")
    np.testing.assert_array_equal(
        np.array(saved.meta["observed"]["kernels"]["2"], np.float32), saved.arrays["param/conv1/weight"]
    )


@pytest.mark.slow
def test_gathering_changes_nothing_of_the_training(records):
    drawn = ["network=lenet5_dropout", "augmentation=shift"]
    assert main([*ALL, *drawn]) == 0
    assert main([*ALL, *drawn, "trainer.figures=basic"]) == 0
    basic, every = (checkpoint.load(artifacts(run) / "checkpoints/last.npz") for run in records())
    assert "observed" not in basic.meta
    assert not TAUGHT & set(figures(records()[0]))
    for name, array in basic.arrays.items():
        np.testing.assert_array_equal(every.arrays[name], array)


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 6, 8, 23])
def test_an_interrupted_run_shows_what_one_that_never_was_does(step, client, records, stop_at):
    settings = [*ALL, "trainer.checkpoint_every=4steps"]
    assert main(settings) == 0
    stop_at(step)
    with pytest.raises(Stopped):
        main(settings)
    assert resume.main(["last"]) == 0
    again, whole = records()
    assert_same(client, again, whole)
    assert observed(again) == observed(whole)


@pytest.mark.slow
def test_what_was_not_gathered_is_drawn_from_when_it_was(records, stop_at):
    with pytest.raises(Stopped):
        stop_at(14)
        main([*ALL, "trainer.figures=none", "trainer.checkpoint_every=1"])
    assert resume.main(["last", "trainer.figures=all"]) == 0
    (run,) = records()
    assert min(map(int, observed(run)["gradients"])) == 2
    assert set(figures(run)) >= TAUGHT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kernels": {"1": [[[[1.0, 2.0]]]]}}, "does not fit this network"),
        pytest.param({"kernels": {"1": [[[[1.0, 2.0], [1.0]]]]}}, "does not fit this network", marks=pytest.mark.slow),
        ({"gradients": {"99": {"conv1": 1.0}}}, "epochs to come"),
        pytest.param({"gradients": {"1": {"conv7": 1.0}}}, "does not fit this network", marks=pytest.mark.slow),
        ({"gradients": {"1": {"conv1": "big"}}}, r"observed\.gradients\.1\.conv1"),
        pytest.param({"pictures": {}}, r"observed\.pictures", marks=pytest.mark.slow),
        pytest.param([1], "observed", marks=pytest.mark.slow),
    ],
)
def test_a_stored_observation_that_cannot_be_is_refused(change, said, records, stop_at, capsys):
    stop_at(14)
    with pytest.raises(Stopped):
        main([*ALL, "trainer.checkpoint_every=1"])
    (run,) = records()
    altered(artifacts(run) / "checkpoints/last.npz", lambda arrays, meta: meta.__setitem__("observed", change))
    assert resume.main(["last"]) != 0
    assert re.search(said, capsys.readouterr().err)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        "network.layers=[{_target_: lenet.layers.Flatten}, {_target_: lenet.layers.Linear, features: classes}]",
        "network=lenet5_batchnorm",
    ],
)
def test_other_networks_are_drawn_too(network, records):
    assert main([*ALL, network, "trainer.epochs=1", "trainer.batch_size=1"]) == 0
    (run,) = records()
    assert ("filters_forming.png" in figures(run)) == ("batchnorm" in network)
    assert "feature_maps.png" in figures(run)


def test_a_run_that_diverges_draws_what_was_finite(records):
    assert main([*ALL, "optimizer=sgd", "optimizer.lr=1e25"]) == 0
    (run,) = records()
    assert run.data.tags["diverged"] == "true"
    assert list(json.loads(json.dumps(observed(run)["gradients"]))) == ["0"]


def test_many_maps_stay_within_a_page():
    outputs = [("image", np.ones((3, 64, 64))), ("conv", np.ones((200, 60, 60))), ("flat", np.arange(5000.0))]
    figure = plots.feature_maps(outputs, np.full(30, 1 / 30), [f"class {n}" for n in range(30)])
    assert max(figure.get_size_inches()) < 12
