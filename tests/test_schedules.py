"""Each schedule equals a sequence computed by hand, as a pure function of the clock and the history."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

import lenet.schedules
from lenet.schedules import (
    Clock,
    Constant,
    Cosine,
    Exponential,
    Linear,
    MultiStep,
    OneCycle,
    Piecewise,
    Plateau,
    RangeTest,
    Schedule,
    Step,
    Threshold,
)

CONF = Path(__file__).parents[1] / "conf" / "schedule"


def factors(schedule: Schedule, epochs: int, steps_per_epoch: int = 1) -> list[float]:
    return [schedule(Clock(step, steps_per_epoch, epochs)) for step in range(epochs * steps_per_epoch)]


def replayed(schedule: Schedule, values: list[float], metric: str = "val/loss") -> list[float]:
    """The factor in each epoch of a run that records `values`, and in the one after the last."""
    history = [{metric: value} for value in values]
    return [schedule(Clock(epoch, 1, 100), history) for epoch in range(len(values) + 1)]


def test_the_clock_counts_epochs_from_zero() -> None:
    assert [Clock(step, 3, 2).epoch for step in range(6)] == [0, 0, 0, 1, 1, 1]
    assert Clock(0, 3, 2).total == 6


def test_constant_is_one() -> None:
    assert factors(Constant(), 3, 2) == [1.0] * 6


def test_step_falls_every_so_many_epochs() -> None:
    expected = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert factors(Step(every=2, gamma=0.5), 5, 2) == expected


def test_multistep_falls_at_its_milestones() -> None:
    assert factors(MultiStep(milestones=(1, 3, 4), gamma=0.5), 6) == [1, 0.5, 0.5, 0.25, 0.125, 0.125]


def test_multistep_without_milestones_is_constant() -> None:
    assert factors(MultiStep(milestones=()), 3) == [1, 1, 1]


@pytest.mark.parametrize("milestones", [(3, 1), (2, 2)])
def test_milestones_that_do_not_increase_are_refused(milestones: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^milestones must increase"):
        MultiStep(milestones=milestones)


def test_exponential_falls_after_each_epoch() -> None:
    assert factors(Exponential(gamma=0.5), 3, 2) == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_linear_goes_straight_to_its_end() -> None:
    assert factors(Linear(final=0.2), 1, 5) == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])


def test_cosine_follows_half_a_cosine() -> None:
    # cos 0, 60, 90, 120 and 180 degrees are 1, 1/2, 0, -1/2 and -1; of 7 steps these are 0, 2, 3, 4 and 6.
    sequence = factors(Cosine(final=0.2), 7)
    assert [sequence[step] for step in (0, 2, 3, 4, 6)] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])


@pytest.mark.parametrize("cls", [Linear, Cosine])
@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_the_last_step_reaches_the_final_factor_exactly(cls: Callable[..., Schedule], final: float) -> None:
    assert factors(cls(final=final), 3, 11)[-1] == final


@pytest.mark.parametrize("schedule", [Linear(), Cosine(), OneCycle()])
def test_a_run_of_one_step_takes_it_at_the_full_rate(schedule: Schedule) -> None:
    assert factors(schedule, 1) == [1.0]


@pytest.mark.parametrize("schedule", [Linear(0.1), Cosine(0.1), OneCycle(final=0.1)])
def test_steps_past_the_end_keep_the_final_factor(schedule: Schedule) -> None:
    assert schedule(Clock(30, 5, 4)) == 0.1


def test_onecycle_starts_at_a_25th_peaks_and_ends_250_000_times_lower() -> None:
    # 0.3 of 20 steps: the peak is the sixth.
    sequence = factors(OneCycle(), 20)
    assert sequence[0] == pytest.approx(1 / 25)
    assert sequence[5] == max(sequence) == 1
    assert sequence[-1] == pytest.approx(1 / 250_000)


def test_onecycle_climbs_and_falls_along_half_cosines() -> None:
    # Half of 10 steps: up in 4, at 45 degree strides, down in 5, at 36 degree strides.
    down = [(1 + math.cos(math.radians(angle))) / 2 for angle in (36, 72, 108, 144, 180)]
    root = math.sqrt(0.5) / 2
    expected = [0, 0.5 - root, 0.5, 0.5 + root, 1, *down]
    assert factors(OneCycle(rise=0.5, start=0, final=0), 10) == pytest.approx(expected)


def test_onecycle_equals_pytorch() -> None:
    # torch 2.13: OneCycleLR(max_lr=1, total_steps=10)
    expected = [0.04, 0.52, 1.0, 0.95048463, 0.81174565, 0.61126202, 0.38874198, 0.18825835, 0.04951937, 4e-6]
    assert factors(OneCycle(), 5, 2) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("epochs", [2, 3])
def test_onecycle_too_short_to_climb_starts_at_its_peak(epochs: int) -> None:
    sequence = factors(OneCycle(), epochs)
    assert sequence[0] == 1
    assert sequence[-1] == pytest.approx(4e-6)


def test_a_range_test_multiplies_the_rate_by_the_same_factor_at_every_step() -> None:
    schedule = RangeTest(low=1e-3, high=10, lr=0.01)
    rates = [0.01 * factor for factor in factors(schedule, 1, 5)]
    assert rates == pytest.approx([1e-3, 1e-2, 0.1, 1, 10])


@pytest.mark.parametrize(("low", "high"), [(1, 0.1), (1, 1)])
def test_a_range_test_must_rise(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"^low is 1, which must be below high"):
        RangeTest(low=low, high=high, lr=0.01)


def test_warm_up_climbs_in_equal_steps_to_the_schedule() -> None:
    assert factors(Constant(warmup=2), 3, 2) == [0.25, 0.5, 0.75, 1, 1, 1]


def test_warm_up_may_be_a_part_of_an_epoch() -> None:
    assert factors(Constant(warmup=0.5), 2, 4) == [0.5, 1, 1, 1, 1, 1, 1, 1]


def test_warm_up_shorter_than_a_step_changes_nothing() -> None:
    assert factors(Constant(warmup=1e-6), 1, 3) == [1, 1, 1]


def test_warm_up_multiplies_the_schedule() -> None:
    assert factors(Exponential(gamma=0.5, warmup=2), 3, 2) == [0.25, 0.5, 0.375, 0.5, 0.25, 0.25]


def test_plateau_falls_after_more_than_patience_epochs_without_improvement() -> None:
    values = [1.0, 0.5, 0.6, 0.6, 0.6, 0.4]
    assert replayed(Plateau(factor=0.5, patience=2), values) == [1, 1, 1, 1, 1, 0.5, 0.5]


def test_plateau_counts_anew_after_an_improvement_and_after_a_fall() -> None:
    # bad, bad, good, bad, bad, bad → fall, bad, bad → no fall yet, bad → fall
    values = [1.0, 1.0, 1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]
    expected = [1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    assert replayed(Plateau(factor=0.5, patience=2), values) == expected


def test_plateau_compares_with_the_best_not_the_last() -> None:
    assert replayed(Plateau(factor=0.5, patience=0), [0.5, 0.9, 0.6]) == [1, 1, 0.5, 0.25]


def test_plateau_with_a_relative_threshold_wants_a_share_of_the_best() -> None:
    # 10 % of 10 is 1: 9.5 is not enough, 8.5 is.
    schedule = Plateau(factor=0.5, patience=0, threshold=0.1)
    assert replayed(schedule, [10, 9.5, 8.5]) == [1, 1, 0.5, 0.5]


def test_plateau_with_an_absolute_threshold_wants_an_amount() -> None:
    schedule = Plateau(factor=0.5, patience=0, threshold=0.1, threshold_mode="abs")
    assert replayed(schedule, [10, 9.5, 9.45]) == [1, 1, 1, 0.5]


def test_plateau_knows_that_accuracies_should_rise() -> None:
    schedule = Plateau(metric="val/accuracy", factor=0.5, patience=0)
    assert replayed(schedule, [0.5, 0.6, 0.55], "val/accuracy") == [1, 1, 1, 0.5]


def test_plateau_never_falls_below_its_floor() -> None:
    schedule = Plateau(factor=0.1, patience=0, min_factor=0.05)
    assert replayed(schedule, [1, 1, 1, 1]) == [1, 1, 0.1, 0.05, 0.05]


def test_plateau_takes_a_loss_that_is_not_a_number_for_no_improvement() -> None:
    values = [1.0, math.nan, math.nan, 0.5]
    assert replayed(Plateau(factor=0.5, patience=1), values) == [1, 1, 1, 0.5, 0.5]


def test_plateau_looks_only_at_epochs_completed_before_the_clocks() -> None:
    schedule, history = Plateau(factor=0.5, patience=0), [{"val/loss": 1.0}] * 3
    assert schedule(Clock(19, 10, 5), history) == 1
    assert schedule(Clock(20, 10, 5), history) == 0.5


def test_plateau_refuses_a_history_with_an_epoch_missing() -> None:
    with pytest.raises(ValueError, match="history holds 1 epochs, but 2 are completed"):
        Plateau()(Clock(2, 1, 5), [{"val/loss": 1.0}])


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_menu_entry_gives_a_sane_python_float_at_every_step(path: Path) -> None:
    options: dict[str, Any] = yaml.safe_load(path.read_text())
    name = options.pop("_target_").removeprefix("lenet.schedules.")
    if options.get("lr") == "${optimizer.lr}":
        options["lr"] = options["high"]
    schedule = getattr(lenet.schedules, name)(**options)
    history = [{"val/loss": 1.0}] * 20
    for step in range(200):
        factor = schedule(Clock(step, 10, 20), history)
        assert type(factor) is float
        assert 0 <= factor <= 1


def test_the_menu_offers_every_schedule() -> None:
    targets = {yaml.safe_load(path.read_text())["_target_"] for path in CONF.glob("*.yaml")}
    ours = [cls for cls in Schedule.__subclasses__() if cls.__module__.startswith("lenet.")]
    assert targets == {f"lenet.schedules.{cls.__name__}" for cls in ours}


@pytest.mark.parametrize(
    ("cls", "options", "key"),
    [
        (Constant, {"warmup": -1}, "warmup"),
        (Constant, {"warmup": math.inf}, "warmup"),
        (Step, {"every": 0}, "every"),
        (Step, {"every": 2, "gamma": 0}, "gamma"),
        (Step, {"every": 2, "gamma": 1.5}, "gamma"),
        (MultiStep, {"milestones": 3}, "milestones"),
        (Exponential, {}, "gamma"),
        (Exponential, {"gamma": "fast"}, "gamma"),
        (Linear, {"final": -0.1}, "final"),
        (Cosine, {"final": 2}, "final"),
        (OneCycle, {"rise": 1}, "rise"),
        (OneCycle, {"start": math.nan}, "start"),
        (RangeTest, {"low": 0, "high": 1, "lr": 0.01}, "low"),
        (RangeTest, {"low": 0.1, "high": math.inf, "lr": 0.01}, "high"),
        (Plateau, {"factor": 1}, "factor"),
        (Plateau, {"patience": 1.5}, "patience"),
        (Plateau, {"metric": "val/los"}, "metric"),
        (Plateau, {"cooldown": 1}, "cooldown"),
    ],
)
def test_a_wrong_value_is_refused_by_name(cls: Callable[..., Schedule], options: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        cls(**options)
    assert [error["loc"] for error in caught.value.errors()] == [(key,)]


def test_piecewise_has_the_factor_of_each_stretch() -> None:
    assert factors(Piecewise(epochs=(1, 3), factors=(0.4, 0.1)), 5) == [1, 0.4, 0.4, 0.1, 0.1]


@pytest.mark.parametrize(("epochs", "steps", "said"), [((3, 1), (0.1, 0.2), "increase"), ((1, 2), (0.1,), "as many")])
def test_piecewise_that_does_not_fit_is_refused(epochs: tuple[int, ...], steps: tuple[float, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Piecewise(epochs=epochs, factors=steps)


def test_threshold_falls_once_the_loss_has_been_below_and_stays() -> None:
    assert replayed(Threshold(value=0.5, factor=0.2), [0.9, 0.5, 0.49, 0.8, 0.4]) == [1, 1, 1, 0.2, 0.2, 0.2]


def test_threshold_of_an_accuracy_is_passed_upwards() -> None:
    schedule = Threshold(value=0.9, factor=0.2, metric="val/accuracy")
    assert replayed(schedule, [0.8, 0.95, 0.7], "val/accuracy") == [1, 1, 0.2, 0.2]


def test_threshold_needs_a_record_of_each_epoch() -> None:
    with pytest.raises(ValueError, match="holds 0 epochs, but 1"):
        Threshold(value=0.5, factor=0.2)(Clock(1, 1, 3), [])
