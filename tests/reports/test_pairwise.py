"""Groups of runs are compared over the seeds they share, and nothing is claimed that the runs do not bear out."""

import csv
import io
import json
import re

import pytest
from scipy import stats

from lenet.compare import main
from lenet.reports.summary import SWEPT
from lenet.tracking.address import tracking_uri
from lenet.tracking.record import PARENT
from lenet.tracking.store import Store

METRIC = "best/val_accuracy"


@pytest.fixture
def record(workplace):
    """Return what records a run for each value of a group; the seeds are counted from 0 unless they are given."""
    store = Store(tracking_uri(), "lenet")

    def write(rate, values, seeds=None, status="FINISHED", tags=None, metric=METRIC, **params):
        for seed, value in zip(seeds or range(len(values)), values, strict=True):
            given = {"optimizer.lr": rate, "seed": seed, **params}
            run = store.start_run(f"lr={rate},seed={seed}", params=given, tags=tags)
            if value is not None:
                run.log_metrics({metric: value}, 1)
            run.close(status)

    return write


def rows(capsys, *arguments):
    assert main(["--pairwise", *arguments, "--format", "csv"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def said(capsys, *arguments):
    assert main(["--pairwise", *arguments]) == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    return output.replace("\n  ", " ")


def test_the_interval_is_student_s_over_the_differences_of_pairs(record, capsys):
    record("0.1", [0.8, 0.6, 0.4])
    record("0.2", [0.9, 0.8, 0.7])
    (row,) = rows(capsys)
    assert (row["group"], row["best"], row["n"], row["seeds"]) == ("optimizer.lr=0.1", "optimizer.lr=0.2", "3", "0 1 2")
    # By hand: differences -0.1, -0.2, -0.3; mean -0.2, deviation 0.1; t(0.975, 2) = 4.302653, by a printed table.
    half = 4.302653 * 0.1 / 3**0.5
    numbers = [float(row[key]) for key in ("mean", "best_mean", "difference", "low", "high")]
    assert numbers == pytest.approx([0.6, 0.8, -0.2, -0.2 - half, -0.2 + half], rel=1e-6)
    assert row["excludes_zero"] == "False"
    assert "the interval includes zero: these runs do not tell them apart, at 95 %" in said(capsys)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.9999])
def test_it_is_the_interval_of_scipy_at_any_confidence(record, capsys, confidence):
    ours, theirs = [0.91, 0.93, 0.9, 0.95, 0.92], [0.96, 0.94, 0.97, 0.95, 0.955]
    record("0.1", ours)
    record("0.2", theirs)
    (row,) = rows(capsys, "--confidence", str(confidence))
    expected = stats.ttest_rel(ours, theirs).confidence_interval(confidence)
    assert (float(row["low"]), float(row["high"])) == pytest.approx(tuple(expected), rel=1e-10)
    assert (row["excludes_zero"] == "True") == (stats.ttest_rel(ours, theirs).pvalue < 1 - confidence)


def test_runs_are_paired_by_seed_and_not_by_their_order(record, capsys):
    record("0.1", [0.5, 0.6, 0.8], seeds=[2, 10, 1])
    record("0.2", [0.9, 0.7, 0.9, 0.1], seeds=[1, 2, 10, 7])
    assert rows(capsys)[0]["seeds"] == "1 2 10"
    (row,) = rows(capsys, "--metric", METRIC)
    expected = stats.ttest_rel([0.8, 0.5, 0.6], [0.9, 0.7, 0.9]).confidence_interval()
    assert float(row["low"]) == pytest.approx(expected.low)
    assert "lr=0.1 lacks seed 7 of optimizer.lr=0.2, not compared." in said(capsys)


def test_a_loss_is_better_the_smaller_it_is(record, capsys):
    record("0.1", [0.8, 0.6], metric="test/loss")
    record("0.2", [0.3, 0.2], metric="test/loss")
    assert rows(capsys, "--metric", "test/loss")[0]["best"] == "optimizer.lr=0.2"


def test_several_groups_are_compared_with_the_best_and_all_pairs_hold_together(record, capsys):
    values = {"0.1": [0.8, 0.6, 0.5], "0.2": [0.9, 0.8, 0.75], "0.3": [0.7, 0.65, 0.4]}
    for rate, reached in values.items():
        record(rate, reached)
    found = rows(capsys)
    assert [(row["group"], row["best"]) for row in found] == [
        ("optimizer.lr=0.1", "optimizer.lr=0.2"),
        ("optimizer.lr=0.3", "optimizer.lr=0.2"),
    ]
    for row in found:
        rate = row["group"].partition("=")[2]
        expected = stats.ttest_rel(values[rate], values["0.2"]).confidence_interval(1 - 0.05 / 3)
        assert (float(row["low"]), float(row["high"])) == pytest.approx(tuple(expected))
    text = said(capsys)
    assert "98.3 % interval" in text
    assert "all 3 pairs of groups hold together at 95 % (Bonferroni)" in text


def test_groups_of_one_sweep_are_called_as_it_was_written_and_others_by_what_differs(record, capsys):
    for name, target in (("sgd", "lenet.optimizers.SGD"), ("momentum", "lenet.optimizers.Momentum")):
        for seed in range(2):
            tags = {SWEPT: json.dumps({"optimizer": name, "seed": str(seed)}), PARENT: "a sweep's id"}
            record("0.1", [len(name) / 10 + seed / 9], [seed], tags=tags, **{"optimizer._target_": target})
    (row,) = rows(capsys)
    assert (row["group"], row["best"]) == ("optimizer=sgd", "optimizer=momentum")
    tags = {SWEPT: json.dumps({"optimizer": "nesterov"}), PARENT: "another's"}
    record("0.1", [0.4], [0], tags=tags, **{"optimizer._target_": "lenet.optimizers.Nesterov"})
    assert {row["group"] for row in rows(capsys)} == {"optimizer=SGD", "optimizer=Nesterov"}


def test_what_is_kept_of_a_run_makes_it_no_other_configuration(record, capsys):
    record("0.2", [0.7], [0])
    record("0.2", [0.8], [1], **{"trainer.checkpoints": "best"})
    record("0.1", [0.6, 0.5])
    (row,) = rows(capsys)
    assert (row["best"], row["n"]) == ("optimizer.lr=0.2", "2")


def test_a_group_without_a_run_that_counts_is_named_and_makes_no_claims(record, capsys):
    record("0.2", [0.7, 0.8])
    record("0.1", [0.6, 0.5])
    record("5", [0.3, 0.3], tags={"diverged": "true"})
    text = said(capsys)
    assert "optimizer.lr=5: nothing is compared, since all its runs are left out." in text
    assert "lacks" not in text
    assert "95 % interval" in text  # it makes no pair


def test_long_names_are_numbered_and_explained(record, capsys):
    record("0.1", [0.8, 0.6], **{"network.activation": "scaled_tanh"})
    record("0.2", [0.9, 0.8], **{"network.activation": "relu"})
    text = said(capsys)
    assert "group 2" in text.splitlines()[2]
    assert "group 1 is network.activation=relu, optimizer.lr=0.2." in text


@pytest.mark.parametrize(
    ("values", "seeds", "expected"),
    [
        ([0.5], [1], "0.3 lower than the best on the one common seed, 1; one difference has no interval."),
        ([0.5, 0.6], [8, 9], "no seed in common with the best, nothing is compared."),
        ([0.6, 0.7, 0.8], None, "0.1 lower than the best on each of 3 seeds alike; without any spread there is no"),
        ([0.7, 0.8, 0.9], None, "the same as the best on each of 3 seeds; without any spread there is no interval."),
    ],
)
def test_where_there_is_no_interval_the_reason_is_said(record, capsys, values, seeds, expected):
    record("0.2", [0.7, 0.8, 0.9])
    record("0.1", values, seeds)
    (row,) = rows(capsys)
    assert row["low"] == row["high"] == row["excludes_zero"] == ""
    assert expected in said(capsys)
    assert "nan" not in said(capsys)


def test_runs_that_do_not_count_are_left_out_counted_and_named(record, capsys):
    record("0.2", [0.7, 0.8, 0.9])
    record("0.1", [0.6, 0.5])
    record("0.1", [0.99], [3], status="FAILED")
    record("0.1", [0.99], [4], tags={"diverged": "true"})
    record("0.1", [None], [5])
    record("0.1", [float("nan")], [6])
    assert rows(capsys)[0]["n"] == "2"
    reasons = "seed 3 failed, seed 4 diverged, seed 5 has no best/val_accuracy, seed 6 has best/val_accuracy nan"
    assert f"Left out of optimizer.lr=0.1: 4 ({reasons})." in said(capsys)


def test_a_repetition_counts_once_and_another_result_of_the_same_seed_is_refused(record, capsys):
    record("0.2", [0.7, 0.8])
    record("0.1", [0.6, 0.5])
    record("0.1", [0.6], [0])
    assert rows(capsys)[0]["n"] == "2"
    record("0.1", [0.1], [0], status="KILLED")
    assert rows(capsys)[0]["n"] == "2"
    record("0.1", [0.61], [0])
    assert main(["--pairwise"]) == 2
    error = capsys.readouterr().err
    assert re.search(r"`optimizer.lr=0.1` has runs of seed 0 that reached different best/val_accuracy", error)
    assert len(re.findall(r"lr=0.1,seed=0 \([0-9a-f]{32}\)", error)) == 2


def test_all_formats_hold_the_same_comparison(record, capsys):
    record("0.1", [0.8, 0.6])
    record("0.2", [0.9, 0.8])
    assert main(["--pairwise", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert row["difference"] == pytest.approx(-0.15)
    assert row["excludes_zero"] is False
    assert main(["--pairwise", "--format", "markdown"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("| group ")
    assert "\n\n- best/val_accuracy, means over the common seeds" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pairwise", "lr=0.1,seed=0", "lr=0.1,seed=1"], "one group: they differ in no parameter but the seed"),
        (["--pairwise", "lr=0.3,seed=0", "lr=0.4,seed=0"], "every run is left out.*seed 0 failed"),
        (["--pairwise", "--confidence", "95"], "--confidence is 95; accepted are numbers between 0 and 1"),
        (["--pairwise", "--confidence", "high"], "--confidence is high; accepted"),
        (["--confidence", "0.9"], "of --pairwise, which is missing"),
        (["--pairwise", "--plot", "a.png"], "give one of the two"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_message(record, capsys, arguments, expected):
    record("0.1", [0.8, 0.6])
    record("0.3", [0.8], status="FAILED")
    record("0.4", [0.8], status="FAILED")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(expected, error)
