"""Layers held to what a layer has to do: what is wrong with one is said, with its name and its method."""

import numpy as np
import pytest

from lenet.arrays.draws import Pass
from lenet.checking.layers import LayerFault, check_layer
from tests.checking import own_layers
from tests.helpers import bound

SHAPE = (2, 5, 4)
RIGHT = ("Swish", "Scale", "Abs")
WRONG = {
    # the layer: what of its gradients is wrong
    "Slow": "input",
    "OnePlace": "weight",
    "Border": "input",
    "MeanGradient": "weight",
}
FAULTY = {
    "NoGradient": r"backward does not write self\.gradients\['weight'\]: give it its values",
    "Added": r"backward does not write self\.gradients\['weight'\]",
    "Replaced": r"backward does not write self\.gradients\['weight'\]",
    "ForwardNone": r"forward returns None; accepted: an array \(3, 2, 5, 4\) of float64, as its setup says",
    "BackwardNone": r"backward returns None; accepted: an array \(3, 2, 5, 4\) of float64, that of its input",
    "WrongShape": r"forward returns an array \(3, 2, 4, 4\); accepted: an array \(3, 2, 5, 4\)",
    "WrongGradientShape": r"backward returns an array \(2, 5, 4\); accepted: an array \(3, 2, 5, 4\)",
    "SinglePrecision": r"forward returns float32 where it is given float64",
    "NotFinite": r"forward leaves 120 of 120 numbers not finite",
    "Raises": r"backward raises KeyError: 'momentum' \(own_layers\.py, line \d+\)",
    "RaisesNothingSaid": r"backward raises NotImplementedError \(own_layers\.py, line \d+\)\.$",
    "NoBackward": r"backward is missing; accepted: a method backward\(self, dy\) that returns the gradient of the last",
    "NoForward": r"forward is missing; accepted: a method forward\(self, x\) that returns a batch's output\.$",
    "Random": r"forward puts out something else for the same input; draw by lenet\.arrays\.draws, from self\.now",
    "WritesOverInput": r"writes over its input, which the layer below still needs",
    "ReadsItsOutput": r"as keeps_output is False, its output may be written over before backward",
}


def checked(name):
    layer = getattr(own_layers, name)()
    layer.name, layer.now = "own", Pass(training=True)
    generator = np.random.default_rng(2)
    return check_layer(bound(layer, SHAPE), generator.normal(size=(3, *SHAPE)), SHAPE, generator, singles=4)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_layer_s_gradients_agree(name):
    assert max(found.error for found in checked(name).values()) < 1e-8


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_is_told_from_the_right_ones(name):
    assert [what for what, found in checked(name).items() if found.error > 1e-5] == [WRONG[name]]


@pytest.mark.parametrize("name", FAULTY)
def test_what_a_layer_does_not_do_is_said(name):
    with pytest.raises(LayerFault, match=rf"^layer `own` \(tests\.checking\.own_layers\.{name}\): .*{FAULTY[name]}"):
        checked(name)
