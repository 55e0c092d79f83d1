"""Each optimizer equals a sequence computed by hand, in the dtype it was given, without allocating."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lenet.arrays.backend import Backend, BackendSettings
from lenet.optimizers import SGD, Adam, AdamW, DiagonalLevenbergMarquardt, Momentum, Nesterov, Optimizer, RMSprop
from lenet.optimizers.base import CLEAR_EVERY

ALL = [SGD, Momentum, Nesterov, RMSprop, Adam, AdamW]


def on_numpy(dtype: str = "float64") -> Backend:
    return BackendSettings("numpy", dtype, threads=1).open()


def bound(optimizer: Optimizer, theta: np.ndarray[Any, Any], decays: list[bool] | None = None) -> Optimizer:
    mask = np.ones(theta.size, bool) if decays is None else np.array(decays)
    optimizer.bind(theta, mask, on_numpy(str(theta.dtype)))
    return optimizer


def path(optimizer: Optimizer, gradients: list[float], lr: float = 0.1) -> list[float]:
    """Where a single parameter that starts at 1 is after each of the gradients."""
    theta = np.array([1.0])
    bound(optimizer, theta)
    places = []
    for number, gradient in enumerate(gradients):
        optimizer.step(theta, np.array([gradient], float), lr, number)
        places.append(float(theta[0]))
    return places


def test_sgd_takes_the_gradient_times_the_rate() -> None:
    # 1 - 0.1, - 0.2, + 0.3
    assert path(SGD(), [1, 2, -3]) == pytest.approx([0.9, 0.7, 1.0])


def test_momentum_equals_a_hand_computed_sequence() -> None:
    # v = 1, 0.5 + 2 = 2.5, 1.25 - 3 = -1.75; theta = 1 - 0.1, - 0.25, + 0.175
    assert path(Momentum(momentum=0.5), [1, 2, -3]) == pytest.approx([0.9, 0.65, 0.825])


def test_nesterov_equals_a_hand_computed_sequence() -> None:
    # v as above; g + v/2 = 1.5, 3.25, -3.875; theta = 1 - 0.15, - 0.325, + 0.3875
    assert path(Nesterov(momentum=0.5), [1, 2, -3]) == pytest.approx([0.85, 0.525, 0.9125])


def test_rmsprop_equals_a_hand_computed_sequence() -> None:
    # s = 0.5, 0.25 + 2 = 2.25, 1.125 + 4.5 = 5.625
    expected = [1 - 0.1 / math.sqrt(0.5)]
    expected.append(expected[-1] - 0.2 / 1.5)
    expected.append(expected[-1] + 0.3 / math.sqrt(5.625))
    assert path(RMSprop(alpha=0.5, eps=1e-12), [1, 2, -3]) == pytest.approx(expected)


def test_adam_equals_a_hand_computed_sequence() -> None:
    # m = 0.5, 0.25 + 1 = 1.25, 0.625 - 1.5 = -0.875, over 0.5, 0.75, 0.875;
    # v = 0.25, 0.1875 + 1 = 1.1875, 0.890625 + 2.25 = 3.140625, over 0.25, 0.4375, 0.578125
    expected = [0.9]
    expected.append(expected[-1] - 0.1 * (1.25 / 0.75) / math.sqrt(1.1875 / 0.4375))
    expected.append(expected[-1] + 0.1 * 1 / math.sqrt(3.140625 / 0.578125))
    assert path(Adam(beta1=0.5, beta2=0.75, eps=1e-12), [1, 2, -3]) == pytest.approx(expected)


def test_the_eps_of_adam_and_rmsprop_is_added_to_the_root() -> None:
    assert path(Adam(eps=1.0), [1]) == pytest.approx([0.95])
    assert path(RMSprop(alpha=0.75, eps=0.5), [1]) == pytest.approx([0.9])


def test_weight_decay_adds_to_adam_s_gradient_and_shrinks_adamw_s_weights() -> None:
    # Adam's first step is the rate whatever the gradient's size; AdamW shrinks by 0.1 · 0.5 besides.
    assert path(Adam(weight_decay=0.5), [1]) == pytest.approx([0.9])
    assert path(AdamW(weight_decay=0.5), [1]) == pytest.approx([0.85])
    theta = np.array([1.0, 1.0])
    bound(AdamW(weight_decay=0.5), theta, [True, False]).step(theta, np.array([1.0, 1.0]), 0.1)
    assert theta == pytest.approx([0.85, 0.9])


def test_step_sizes_follow_the_curvature() -> None:
    theta = np.array([1.0, 1.0])
    optimizer = bound(DiagonalLevenbergMarquardt(mu=0.5), theta)
    optimizer.take_curvature(np.array([0.0, 1.5]))
    optimizer.step(theta, np.array([1.0, 1.0]), 0.1)
    assert theta == pytest.approx([1 - 0.1 / 0.5, 1 - 0.1 / 2])
    assert optimizer.state["damped"].tolist() == [0.5, 2.0]


def test_momentum_at_a_constant_rate_is_the_classical_form() -> None:
    theta, velocity, expected = 1.0, 0.0, []
    for gradient in (1.0, 2.0, -3.0, 0.5):
        velocity = 0.9 * velocity - 0.1 * gradient
        theta += velocity
        expected.append(theta)
    assert path(Momentum(momentum=0.9), [1, 2, -3, 0.5]) == pytest.approx(expected)


def test_nesterov_is_sutskevers_form_seen_from_its_look_ahead_point() -> None:
    # f(x) = x²: the gradient depends on the point where it is taken.
    x, velocity, looked = 1.0, 0.0, []
    for _ in range(5):
        velocity = 0.9 * velocity - 0.1 * 2 * (x + 0.9 * velocity)
        x += velocity
        looked.append(x + 0.9 * velocity)
    theta = np.array([1.0])
    optimizer, places = bound(Nesterov(momentum=0.9), theta), []
    for _ in range(5):
        optimizer.step(theta, 2 * theta, 0.1)
        places.append(float(theta[0]))
    assert places == pytest.approx(looked)


def test_momentum_applies_a_changed_rate_to_the_whole_velocity() -> None:
    theta = np.array([0.0])
    optimizer = bound(Momentum(momentum=0.5), theta)
    optimizer.step(theta, np.array([1.0]), 0.1)
    optimizer.step(theta, np.array([0.0]), 0.01)
    assert theta[0] == pytest.approx(-0.1 - 0.01 * 0.5)


@pytest.mark.parametrize("cls", [Momentum, Nesterov])
def test_without_momentum_it_is_sgd(cls: type[Momentum]) -> None:
    assert path(cls(momentum=0), [1, 2, -3]) == path(SGD(), [1, 2, -3])


@pytest.mark.parametrize("cls", ALL)
def test_weight_decay_spares_biases(cls: type[Optimizer]) -> None:
    theta = np.array([2.0, 2.0])
    bound(cls(weight_decay=0.5), theta, [True, False]).step(theta, np.zeros(2), 0.1)
    assert theta[0] < 2
    assert theta[1] == 2


@pytest.mark.parametrize("cls", ALL)
def test_weight_decay_reaches_biases_when_asked(cls: type[Optimizer]) -> None:
    theta = np.array([2.0, 2.0])
    bound(cls(weight_decay=0.5, decay_biases=True), theta, [True, False]).step(theta, np.zeros(2), 0.1)
    assert theta[0] == theta[1] < 2


def test_weight_decay_adds_to_the_gradient() -> None:
    # g = 1 + 0.5 · 1 = 1.5, theta = 0.85; g = 2 + 0.5 · 0.85 = 2.425, theta = 0.6075
    assert path(SGD(weight_decay=0.5), [1, 2]) == pytest.approx([0.85, 0.6075])


def test_weight_decay_enters_the_velocity() -> None:
    # g = 1.5, v = 1.5, theta = 0.85; g = 2.425, v = 0.75 + 2.425 = 3.175, theta = 0.5325
    assert path(Momentum(momentum=0.5, weight_decay=0.5), [1, 2]) == pytest.approx([0.85, 0.5325])


@pytest.mark.parametrize("cls", ALL)
def test_a_long_gradient_is_clipped_to_the_norm(cls: type[Optimizer]) -> None:
    clipped, short = np.zeros(2), np.zeros(2)
    bound(cls(clip_norm=1.0), clipped).step(clipped, np.array([30.0, 40.0]), 0.1)
    bound(cls(), short).step(short, np.array([0.6, 0.8]), 0.1)
    assert clipped == pytest.approx(short)


@pytest.mark.parametrize("norm", [0.0, 0.25, 1.0])
def test_a_short_gradient_is_not_touched_by_clipping(norm: float) -> None:
    theta = np.zeros(3, np.float32)
    gradient = np.array([norm, 0, 0], np.float32)
    bound(SGD(clip_norm=1.0), theta).step(theta, gradient, 1.0)
    assert theta.tolist() == [-norm, 0, 0]


def test_clipping_comes_before_weight_decay() -> None:
    # The gradient 100 becomes 1; 0.5 · 1 is added after.
    assert path(SGD(clip_norm=1.0, weight_decay=0.5), [100]) == pytest.approx([1 - 0.1 * 1.5])


def test_clipping_lets_a_gradient_that_is_not_a_number_show() -> None:
    theta = np.zeros(2)
    bound(SGD(clip_norm=1.0), theta).step(theta, np.array([math.nan, 1.0]), 0.1)
    assert np.isnan(theta).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cls", ALL)
def test_everything_stays_in_the_dtype_of_the_parameters(cls: type[Optimizer], dtype: str) -> None:
    theta = np.ones(4, dtype)
    optimizer = bound(cls(weight_decay=1e-3, clip_norm=1.0), theta)
    optimizer.step(theta, np.ones(4, dtype), 0.01)
    assert theta.dtype == dtype
    assert all(vector.dtype == dtype for vector in optimizer.state.values())


def test_float32_steps_round_like_float32_arithmetic() -> None:
    theta = np.array([1.0], np.float32)
    bound(SGD(), theta).step(theta, np.array([1.0], np.float32), 0.1)
    assert theta[0] == np.float32(1) - np.float32(0.1)


@pytest.mark.parametrize("options", [{}, {"weight_decay": 1e-3, "clip_norm": 1.0}])
@pytest.mark.parametrize("cls", ALL)
def test_a_step_allocates_no_arrays(cls: type[Optimizer], options: dict[str, Any]) -> None:
    theta, gradient = np.ones(100_000, np.float32), np.ones(100_000, np.float32)
    optimizer = bound(cls(**options), theta)
    optimizer.step(theta, gradient, 0.01, 1)
    tracemalloc.start()
    try:
        optimizer.step(theta, gradient, 0.01, 2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < theta.nbytes / 50


def test_the_state_is_the_velocity_alone() -> None:
    assert bound(SGD(), np.zeros(2)).state == {}
    assert list(bound(Nesterov(), np.zeros(2)).state) == ["velocity"]


def test_a_state_written_in_place_continues_the_run_exactly() -> None:
    first, gradients = np.ones(3), np.random.default_rng(0).normal(size=(4, 3))
    whole = bound(Momentum(), first)
    for gradient in gradients[:2]:
        whole.step(first, gradient.copy(), 0.1)
    second = first.copy()
    resumed = bound(Momentum(), second)
    resumed.state["velocity"][...] = whole.state["velocity"]
    for gradient in gradients[2:]:
        whole.step(first, gradient.copy(), 0.1)
        resumed.step(second, gradient.copy(), 0.1)
    assert (first == second).all()


def test_binding_again_starts_from_zero_velocity() -> None:
    optimizer = Momentum()
    assert path(optimizer, [1, 2]) == path(optimizer, [1, 2])


@pytest.mark.parametrize("cls", ALL)
def test_the_default_rate_is_one_hundredth_or_where_steps_adapt_a_thousandth(cls: type[Optimizer]) -> None:
    assert cls().lr == (0.01 if cls in (SGD, Momentum, Nesterov) else 0.001)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lr", 0),
        ("lr", -1),
        ("lr", math.nan),
        ("lr", math.inf),
        ("lr", "abc"),
        ("momentum", 1),
        ("momentum", -0.1),
        ("weight_decay", -1e-4),
        ("clip_norm", 0),
        ("nesterov", True),
    ],
)
def test_a_wrong_value_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Momentum(**{key: value})  # type: ignore[arg-type]
    assert [error["loc"] for error in caught.value.errors()] == [(key,)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [Momentum, Nesterov])
def test_a_velocity_that_nothing_feeds_becomes_zero_before_it_is_subnormal(kind: type[Momentum], dtype: str) -> None:
    optimizer = kind(momentum=0.9)
    theta = np.ones(2, dtype)
    bound(optimizer, theta)
    velocity = optimizer.state["velocity"]
    for number in range(10_000):
        optimizer.step(theta, np.array([number == 0, 1], dtype), 0.01, number)
        assert velocity[0] == 0 or velocity[0] >= np.finfo(dtype).tiny
    assert velocity[0] == 0
    assert velocity[1] == pytest.approx(10)


def test_clearing_what_has_vanished_changes_nothing_else() -> None:
    gradients = np.random.default_rng(0).normal(size=(CLEAR_EVERY + 1, 50)) * 10.0 ** np.arange(-25, 25)
    paths = []
    for numbers in (range(CLEAR_EVERY + 1), [1] * (CLEAR_EVERY + 1)):
        theta = np.zeros(50)
        optimizer = bound(Momentum(), theta)
        for number, gradient in zip(numbers, gradients, strict=True):
            optimizer.step(theta, gradient.copy(), 0.1, number)
        paths.append([theta.tobytes(), optimizer.state["velocity"].tobytes()])
    assert paths[0] == paths[1]
