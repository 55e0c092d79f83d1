"""A checkpoint is enough to use a network, and what it makes of an image depends on no other image."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from lenet import checkpoint
from lenet.checkpoint import Checkpoint, dumps
from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.errors import Failure, UserError
from lenet.inference.trained import Trained, describe
from lenet.running.recording import checkpoint_meta
from lenet.running.session import open_session
from lenet.running.workbench import Workbench
from tests.conftest import save_digits

NETWORKS = {
    "defaults": [],
    "float64": ["backend.dtype=float64", "network.pooling=max"],
    "running averages": ["network=lenet5_batchnorm", "data.scaling=report"],
    "draws and smoothing": ["network=lenet5_dropout", "loss.smoothing=0.1"],
}


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS if name not in ("defaults", "float64")]


@pytest.fixture(scope="module", params=["defaults", "float64", *SLOW])
def network(request, tmp_path_factory):
    """A checkpoint of a network as its weights are drawn, its test images, and their scores in training's engine."""
    folder = tmp_path_factory.mktemp("trained")
    save_digits(folder / "digits.npz")
    settings = ["data=npz", f"data.images={folder / 'digits.npz'}", "backend=numpy", "backend.threads=1"]
    plan = build(compose_config([*settings, *NETWORKS[request.param]]))
    with open_session(plan, Workbench()) as session:
        views = session.network.views(session.network.theta)
        arrays = {f"param/{name}": np.array(view, order="C") for name, view in views.items()}
        meta = {"epoch": 3, **checkpoint_meta(plan, session)}
        scores = session.engine.score("test")
        path = folder / "last.npz"
        path.write_bytes(dumps({**arrays, "velocity/other": np.zeros(2)}, meta))
        return path, session.dataset.test_images, scores


def test_it_says_what_training_said(network):
    path, images, scores = network
    trained = Trained(checkpoint.load(path))
    np.testing.assert_array_equal(trained.logits(images).argmax(axis=1), scores.predictions)
    probabilities = trained.probabilities(images)
    np.testing.assert_allclose(probabilities.max(axis=1), scores.probabilities, rtol=1e-5)
    first = trained.predict(images[:1])[0]
    assert first.label == trained.classes[scores.predictions[0]]
    assert first.probability == float(probabilities[0].max())
    assert first.runner_up == trained.classes[np.argsort(probabilities[0])[-2]]


def test_an_image_comes_out_the_same_beside_any_others_to_the_last_bit(network):
    path, images, _ = network
    trained = Trained(checkpoint.load(path))
    images = np.concatenate([images] * 4)
    together = trained.logits(images)
    assert trained.logits(images[:0]).shape == (0, 3)
    for order in (np.arange(len(images))[::-1], np.random.default_rng(0).permutation(len(images))[:37]):
        np.testing.assert_array_equal(trained.logits(images[order]), together[order])
    for number in range(0, len(images), 7):
        np.testing.assert_array_equal(trained.logits(images[number : number + 1])[0], together[number])


def test_threads_that_use_it_at_once_take_turns(network):
    path, images, _ = network
    trained = Trained(checkpoint.load(path))
    expected = trained.logits(images)
    wrong = []

    def use(number):
        for _ in range(20):
            part = images[number % 3 :: 2]
            if not np.array_equal(trained.logits(part), expected[number % 3 :: 2]):
                wrong.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("images", [None, np.zeros((1, 1, 16, 16)), np.zeros((1, 16, 16), np.uint8), np.uint8(0)])
def test_other_images_are_refused(network, images):
    with pytest.raises(UserError, match=r"uint8 \[N, 1, 16, 16\]"):
        Trained(checkpoint.load(network[0])).predict(images)


def altered(path, **changes):
    saved = checkpoint.load(path)
    return Checkpoint(path, saved.arrays, {**saved.meta, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": ["0", "1", "1"]}, "one name"),
        ({"classes": ["0"]}, "`classes`"),
        ({"classes": ["0", "1"]}, "param/linear3/weight"),
        ({"input_shape": [1, 28, 28]}, "param/linear1/weight"),
        ({"input_shape": [1, 16]}, "`input_shape`"),
        ({"scaling": {"shift": 0.0, "scale": 0.0}}, "`scaling.scale`"),
        ({"scaling": {"shift": float("nan"), "scale": 1.0}}, "`scaling.shift`"),
        ({"config": 3}, "`config`"),
        ({"config": {}}, "`network` is missing"),
        ({"config": {"network": {"layers": [{"_target_": "os.system"}]}, "backend": {}}}, "`os.system`|'os.system'"),
    ],
    ids=str,
)
def test_a_checkpoint_that_holds_no_network_is_refused(network, changes, said):
    with pytest.raises(UserError, match=said):
        Trained(altered(network[0], **changes))


def test_weights_that_are_not_finite_are_refused_and_outputs_that_are_not_fail(network):
    path, images, _ = network
    saved = checkpoint.load(path)
    name = next(name for name in saved.arrays if name.endswith("conv1/weight"))
    for value, error in ((np.nan, UserError), (np.finfo(saved.arrays[name].dtype).max, Failure)):
        arrays = {**saved.arrays, name: np.full_like(saved.arrays[name], value)}
        with pytest.raises(error, match="not finite"):
            Trained(replace(saved, arrays=arrays)).predict(images)


def test_a_checkpoint_says_what_its_network_was_trained_on(network):
    found = describe(checkpoint.load(network[0]))
    assert (found.classes, found.input_shape, found.epoch) == (["0", "1", "2"], [1, 16, 16], 3)
