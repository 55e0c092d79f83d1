"""The words that a key takes are those that `build` accepts for it, where it accepts nothing else."""

import pytest

from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.configuration.words import words
from lenet.errors import UserError

CLOSED = {
    "trainer.figures": {"basic", "all", "none"},
    "trainer.checkpoints": {"both", "last", "best", "none"},
    "trainer.sampler": {"shuffle", "one_per_block"},
    "backend.name": {"auto", "numpy", "cupy"},
    "backend.dtype": {"float32", "float64"},
    "network.activation": {"relu", "tanh", "sigmoid", "scaled_tanh"},
    "network.pooling": {"avg", "max"},
    "data.scaling": {"standard", "unit", "report", "lecun"},
    "optimizer.decay_biases": {"true", "false"},
    "schedule.metric": {"train/loss", "train/accuracy", "val/loss", "val/accuracy"},
}


@pytest.fixture(scope="module")
def config():
    return compose_config(["schedule=plateau"])


@pytest.mark.parametrize("key", CLOSED)
def test_all_words_are_known_and_accepted_and_no_others(key, config):
    assert set(words(key, config)) == CLOSED[key]
    for word in CLOSED[key]:
        build(compose_config(["schedule=plateau", f"{key}={word}"]))
    with pytest.raises(UserError, match=f"`{key}`"):
        build(compose_config(["schedule=plateau", f"{key}=another"]))


@pytest.mark.parametrize(
    "key",
    ["data.validation", "trainer.epochs", "trainer.early_stopping", "trainer.nothing", "seed", "seed.x", "no.thing"],
)
def test_where_more_is_accepted_or_nothing_known_there_are_none(key, config):
    assert words(key, config) == ()


@pytest.mark.parametrize("target", ["own_parts.Own", "lenet.nothing.SGD", 3, None])
def test_a_class_of_one_s_own_is_not_imported(target, config):
    assert words("optimizer.decay_biases", {**config, "optimizer": {"_target_": target}}) == ()
