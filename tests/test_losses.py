import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import log_softmax, softmax

from lenet.checking.gradients import finite_difference
from lenet.losses import CrossEntropy, MaximumAPosteriori
from tests.helpers import backend, cross_entropy


def test_forward_is_the_negative_log_softmax_of_the_label():
    logits = np.random.default_rng(0).normal(size=(5, 4)) * 3
    labels = np.array([0, 3, 1, 1, 2])
    expected = -log_softmax(logits, axis=1)[np.arange(5), labels]
    np.testing.assert_allclose(cross_entropy(backend()).forward(logits, labels), expected, rtol=1e-12)


def test_backward_is_the_gradient_of_the_scaled_sum():
    logits = np.random.default_rng(0).normal(size=(5, 4))
    labels = np.array([0, 3, 1, 1, 2])
    loss = cross_entropy(backend())
    expected = finite_difference(lambda: float(loss.forward(logits, labels).sum()) / 5, logits)
    loss.forward(logits, labels)
    np.testing.assert_allclose(loss.backward(1 / 5), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_of_ten_thousand_neither_overflow_nor_lose_the_loss(dtype):
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0], [1e4, 1e4, 1e4]], dtype)
    loss = cross_entropy(backend(dtype))
    with np.errstate(all="raise", under="ignore"):
        losses = loss.forward(logits, np.array([0, 0, 1]))
        gradient = loss.backward(1.0)
    np.testing.assert_allclose(losses, [0, 2e4, np.log(3)], rtol=1e-6)
    np.testing.assert_allclose(gradient, [[0, 0, 0], [-1, 1, 0], [1 / 3, -2 / 3, 1 / 3]], atol=1e-6)
    assert losses.dtype == gradient.dtype == dtype


def test_probabilities_are_the_softmax():
    logits = np.random.default_rng(0).normal(size=(3, 4))
    loss = cross_entropy(backend())
    loss.forward(logits, np.array([0, 1, 2]))
    np.testing.assert_allclose(loss.probabilities, softmax(logits, axis=1), rtol=1e-12)


def test_the_logits_are_not_changed():
    logits = np.random.default_rng(0).normal(size=(3, 4))
    before = logits.copy()
    loss = cross_entropy(backend())
    loss.forward(logits, np.array([0, 1, 2]))
    loss.backward(1.0)
    np.testing.assert_array_equal(logits, before)


def test_smoothing_spreads_a_share_of_the_target():
    logits = np.random.default_rng(0).normal(size=(5, 4)) * 3
    labels = np.array([0, 3, 1, 1, 2])
    targets = 0.8 * np.eye(4)[labels] + 0.2 / 4
    loss = cross_entropy(backend(), smoothing=0.2)
    np.testing.assert_allclose(
        loss.forward(logits, labels), -(targets * log_softmax(logits, axis=1)).sum(axis=1), rtol=1e-12
    )
    np.testing.assert_allclose(loss.backward(0.5), 0.5 * (softmax(logits, axis=1) - targets), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, True, "some"])
def test_a_smoothing_that_is_none_is_refused(smoothing):
    with pytest.raises(ValidationError, match="CrossEntropy"):
        CrossEntropy(smoothing)


def test_the_published_loss_is_equation_9():
    logits = -np.random.default_rng(0).uniform(0, 6, size=(5, 4))
    labels = np.array([0, 3, 1, 1, 2])
    loss = MaximumAPosteriori(j=2.0)
    loss.bind(backend())
    penalties = -logits
    expected = penalties[np.arange(5), labels] + np.log(np.exp(-2.0) + np.exp(-penalties).sum(axis=1))
    np.testing.assert_allclose(loss.forward(logits, labels), expected, rtol=1e-12)
    slopes = finite_difference(lambda: float(loss.forward(logits, labels).sum()), logits)
    loss.forward(logits, labels)
    np.testing.assert_allclose(loss.backward(1.0), slopes, rtol=1e-6, atol=1e-9)


def test_the_published_loss_does_not_overflow():
    loss = MaximumAPosteriori(j=1.0)
    loss.bind(backend("float32"))
    logits = np.full((1, 3), -1e4, np.float32)
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(loss.forward(logits, np.array([1])), [1e4 - 1], rtol=1e-6)


def test_a_loss_says_how_it_curves():
    logits, labels = np.random.default_rng(0).normal(size=(3, 4)), np.array([0, 1, 2])
    loss = cross_entropy(backend())
    loss.forward(logits, labels)
    p = softmax(logits, axis=1)
    np.testing.assert_allclose(loss.curvature(), p * (1 - p), rtol=1e-12)
