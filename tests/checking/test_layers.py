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
    "Added": r"backward adds to self\.gradients\['weight'\], which still holds what the call before wrote: give",
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
    "Random": r"forward puts out something else for the same input; accepted: what follows from the input, ",
    "Stateful": r"forward puts out something else .* and self\.now alone \(random numbers too: lenet\.arrays\.draws\)",
    "ChangesParameter": r"forward changes self\.parameters\['weight'\], which a layer may only read; the step",
    "ReplacesParameter": r"forward changes self\.parameters\['weight'\]",
    "ChangesAverage": r"forward changes self\.parameters\['mean'\], which .* by self\.gradients\['mean'\]\.$",
    "ChangesParameterBackward": r"backward changes self\.parameters\['weight'\]",
    "WritesOverInput": r"forward writes over its input, which the layer below still needs",
    "WritesOverInputBackward": r"backward writes over its input, which the layer below still needs",
    "ReturnsItsInput": r"forward returns its input, over which the layer above may write as keeps_output is False",
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


def test_a_layer_may_return_an_input_that_may_be_written_over():
    layer = bound(own_layers.ReturnsItsInput(), SHAPE)
    layer.overwrites_input = True
    x = np.random.default_rng(2).normal(size=(3, *SHAPE))
    assert check_layer(layer, x, SHAPE, np.random.default_rng(2), singles=4)["input"].error < 1e-8
