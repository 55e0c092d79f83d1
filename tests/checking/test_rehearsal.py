"""Layers called as a run calls them: what float64 and training alone do not show is said."""

import re

import numpy as np
import pytest

from lenet.checking.rehearsal import rehearse
from lenet.layers import Conv2d, Flatten, Linear, ReLU
from tests.checking import own_layers
from tests.helpers import network

FAULTY = {
    "Upcast": r"forward returns float64 where it is given float32; accepted: self\.backend\.dtype\.$",
    "UpcastBackward": r"backward returns float64 where it is given float32; accepted: self\.backend\.dtype\.$",
    "UpcastWeight": r"forward returns float64 where it is given float32",
    "CropsInEvaluation": r"forward in evaluation returns an array \(4, 1, 4, 4\); accepted: an array \(4, 3, 4, 4\) of",
    "RaisesInEvaluation": r"forward in evaluation raises ValueError: not yet \(own_layers\.py, line \d+\)\.$",
    "Overflows": r"forward leaves 192 of 192 numbers not finite or not written in what it returns \(float32\)\.$",
    "ForwardNone": r"forward returns None; accepted: an array \(4, 3, 4, 4\) of float32, as its setup says\.$",
}


def rehearsed(*names, dtype="float32"):
    own = [getattr(own_layers, name)() for name in names]
    net = network([Conv2d(3, 5, stride=2), *own, ReLU(), Flatten(), Linear(10)], (1, 11, 11), dtype=dtype)
    generator = np.random.default_rng(0)
    return rehearse(net, generator.normal(size=(4, 1, 11, 11)).astype(dtype), generator)


@pytest.mark.parametrize("name", FAULTY)
def test_what_a_layer_does_wrong_in_a_run_is_said_of_it_alone(name):
    ((layer, fault),) = rehearsed(name).items()
    assert layer == f"{name.lower()}1"
    assert re.match(rf"layer `{layer}` \(tests\.checking\.own_layers\.{name}\): {FAULTY[name]}", fault)


def test_all_faulty_layers_are_told_at_once():
    assert list(rehearsed("Upcast", "RaisesInEvaluation", "Scale", "ForwardNone")) == [
        "upcast1",
        "raisesinevaluation1",
        "forwardnone1",
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_layers_have_no_faults(dtype):
    assert rehearsed("Swish", "Scale", "Abs", dtype=dtype) == {}


def test_what_is_right_in_the_dtype_of_the_run_is_no_fault():
    assert rehearsed("Upcast", "Overflows", dtype="float64") == {}
