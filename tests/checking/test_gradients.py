"""Gradients against finite differences: wrong ones are found wherever they hide, and kinks are no errors."""

import numpy as np
import pytest

from lenet.checking.gradients import Slopes, agreement, finite_difference

GENERATOR = np.random.default_rng(0)


def compared(function, gradient, x, **options):
    return agreement(Slopes(function, x), gradient, np.random.default_rng(1), **options)


def test_central_differences_are_the_derivative():
    x = GENERATOR.normal(size=(3, 4))
    np.testing.assert_allclose(finite_difference(lambda: np.sin(x).sum(), x), np.cos(x), rtol=1e-8)
    np.testing.assert_allclose(finite_difference(lambda: np.sin(x), x, weights=x.copy()), x * np.cos(x), rtol=1e-8)


def test_the_array_is_put_back_bit_for_bit():
    x = GENERATOR.normal(size=500)
    before = x.copy()
    compared(lambda: np.exp(x), np.exp(x), x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("size", [1, 64, 65, 5000])
def test_a_right_gradient_agrees_at_any_size(size):
    x = GENERATOR.normal(size=size)
    assert compared(lambda: np.tanh(x), 1 - np.tanh(x) ** 2, x).error < 1e-8


@pytest.mark.parametrize("off", [1e-3, 1.0, -2.0])
@pytest.mark.parametrize("place", [0, 1234, 4999])
def test_one_wrong_element_of_many_is_found_and_named(place, off):
    x = GENERATOR.normal(size=5000)
    gradient = np.cos(x)
    gradient[place] += off
    found = compared(lambda: np.sin(x), gradient, x)
    assert found.place == (place,)
    assert found.error == pytest.approx(abs(off) / max(abs(gradient)), rel=1e-4)
    assert found.found == pytest.approx(np.cos(x[place]))


def test_a_gradient_that_is_a_multiple_or_zero_is_wrong():
    x = GENERATOR.normal(size=3000)
    assert compared(lambda: np.sin(x), 2 * np.cos(x), x).error == pytest.approx(0.5, abs=0.01)
    assert compared(lambda: np.sin(x), 0 * x, x).error > 0.9


def test_wrong_elements_do_not_cancel_each_other():
    x = GENERATOR.normal(size=3000)
    gradient = np.cos(x)
    gradient[[17, 1800]] += [0.01, -0.01]
    assert compared(lambda: np.sin(x), gradient, x).error > 1e-3


def test_every_slope_between_those_of_a_kink_is_right_and_no_other_is():
    x = np.zeros(300)
    for slope in (-1.0, 0.0, 0.5, 1.0):
        assert compared(lambda: abs(x), np.full(300, slope), x).error < 1e-5
    assert compared(lambda: abs(x), np.full(300, 1.2), x).error > 0.1


def test_kinks_that_a_direction_passes_are_no_errors():
    x = GENERATOR.normal(size=20_000) * 1e-4  # some hundred pass zero
    assert compared(lambda: np.maximum(x, 0), (x > 0) * 1.0, x).error < 1e-5


def test_what_does_not_depend_on_the_array_has_the_gradient_zero():
    x = GENERATOR.normal(size=100)
    assert compared(lambda: np.full(7, 1e3), np.zeros(100), x).error == 0
    assert compared(lambda: np.full(7, 1e3), np.full(100, 1e-17), x).error < 1e-5


def test_a_large_offset_does_not_drown_the_gradient():
    x = GENERATOR.normal(size=200)
    assert compared(lambda: np.sin(x) + 1e3, np.cos(x), x).error < 1e-5
    assert compared(lambda: np.sin(x) + 1e3, 1.01 * np.cos(x), x).error > 1e-4  # on the safe side of its rounding
