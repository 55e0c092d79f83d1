"""A sweep's rows and, over several seeds, their means and deviations."""

import csv
import io
import json
import math
from statistics import stdev

import pytest

from lenet.reports import summary
from lenet.tracking.record import RunRecord


def child(rate, seed, accuracy, status="FINISHED", diverged=False, name=None):
    metrics = {"best/val_accuracy": accuracy, "val/accuracy": accuracy - 0.1, "test/accuracy": accuracy - 0.2}
    return RunRecord(
        id=f"{rate}-{seed}",
        name=name or f"lr={rate},seed={seed}",
        status=status,
        start=10.0,
        end=12.25,
        params={},
        metrics={} if status == "FAILED" else {**metrics, "val/loss": 1.0, "test/loss": 2.0},
        tags={summary.SWEPT: json.dumps({"optimizer.lr": rate, "seed": seed})}
        | ({"diverged": "true"} if diverged else {}),
    )


CHILDREN = [
    child("0.1", "0", 0.5),
    child("0.1", "1", 0.7),
    child("0.1", "2", 0.9),
    child("0.2", "0", 0.8),
    child("0.2", "1", 0.1, diverged=True),
    child("0.2", "2", 0.0, status="FAILED"),
    child("9", "0", 0.0, status="FAILED"),
]
KEYS = ("optimizer.lr", "seed")


def test_the_best_run_comes_first_and_those_without_a_value_last():
    rows = summary.rows_of(CHILDREN)
    assert [row["run_id"] for row in rows] == ["0.1-2", "0.2-0", "0.1-1", "0.1-0", "0.2-1", "0.2-2", "9-0"]
    assert rows[0]["optimizer.lr"] == "0.1"
    assert rows[0]["seconds"] == 2.2
    assert math.isnan(rows[-1]["test/loss"])


def test_seeds_are_grouped_as_mean_and_sample_deviation_of_the_runs_that_count():
    first, second, third = summary.groups_of(summary.rows_of(CHILDREN), KEYS)
    assert (first["optimizer.lr"], first["n"], first["diverged"], first["failed"]) == ("0.2", 1, 1, 1)
    assert first["best/val_accuracy"][0] == 0.8
    assert math.isnan(first["best/val_accuracy"][1])
    assert (second["optimizer.lr"], second["n"]) == ("0.1", 3)
    assert second["test/accuracy"] == pytest.approx((0.5, stdev([0.3, 0.5, 0.7])))
    assert (third["n"], third["failed"]) == (0, 1)
    assert math.isnan(third["best/val_accuracy"][0])


def test_without_seeds_there_are_no_groups_and_with_seeds_alone_there_is_one():
    rows = summary.rows_of(CHILDREN[:3])
    assert summary.groups_of(rows, ["optimizer.lr"]) == []
    (group,) = summary.groups_of(rows, ["seed"])
    assert group["n"] == 3
    assert "±" in summary.to_group_table([group], ["seed"])


def test_tables_fit_a_terminal():
    rows = summary.rows_of([*CHILDREN, child("1", "7", 0.3, name="x" * 60)])
    groups = summary.groups_of(rows, KEYS)
    for table in (summary.to_table(rows), summary.to_group_table(groups, KEYS)):
        assert max(map(len, table.splitlines())) <= 80
    assert "0.7000 ± 0.2000" in summary.to_group_table(groups, KEYS)
    wide = [group | {"network.activation": "scaled_tanh", "network.initializer": "glorot_uniform"} for group in groups]
    keys = [*KEYS, "network.activation", "network.initializer"]
    table = summary.to_group_table(wide, keys)
    assert max(map(len, table.splitlines())) <= 80
    assert "loss" not in table, "there is no room for it"
    assert "loss" in summary.to_group_table(wide, keys, "markdown")
    assert "diverged" in summary.to_table(rows)


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_name_of_several_lines_takes_one(form):
    table = summary.to_table(summary.rows_of([child("1", "1", 0.5, name="a\nb")]), form)
    assert "a\\nb" in table
    assert len(table.splitlines()) == 3 + (form == "table")


def test_the_page_holds_both_tables_and_the_file_everything():
    rows = summary.rows_of(CHILDREN)
    page = summary.to_markdown(rows, summary.groups_of(rows, KEYS), KEYS)
    assert page.count("|--") >= 2
    assert "Mean ± standard deviation over the seeds" in page
    assert "Mean" not in summary.to_markdown(rows, [], KEYS)
    found = list(csv.DictReader(io.StringIO(summary.to_csv(rows))))
    assert [row["run_id"] for row in found] == [row["run_id"] for row in rows]
    assert list(csv.DictReader(io.StringIO(summary.to_csv([])))) == []


def test_long_names_keep_both_their_ends():
    name = "lr=0.005,activation=scaled_tanh,seed=12"
    table = summary.to_table(summary.rows_of([child("1", "1", 0.5, name=name)]))
    assert "lr=0.005,ac…tanh,seed=12" in table


def test_keys_that_end_in_the_same_word_have_a_column_each():
    keys = ("network.layers.0.channels", "network.layers.3.channels", "seed")
    groups = [{**dict.fromkeys(keys[:2], "12"), "n": 1, "diverged": 0, "failed": 0}]
    groups[0] |= dict.fromkeys(summary.METRICS, (0.5, math.nan))
    assert all(key in summary.to_group_table(groups, keys) for key in keys[:2])


def test_a_run_that_diverged_and_then_failed_is_left_out_once():
    rows = summary.rows_of([child("1", "0", 0.5), child("1", "1", 0.5, status="KILLED", diverged=True)])
    (group,) = summary.groups_of(rows, KEYS)
    assert (group["n"], group["diverged"], group["failed"]) == (1, 1, 0)


def test_values_too_long_for_a_tag_are_left_out():
    cut = RunRecord("1", "a", "FINISHED", 0.0, 1.0, {}, {}, {summary.SWEPT: '{"key": "aaa…'})
    assert summary.swept_of(cut) == {}


def test_names_can_be_told_apart_in_a_terminal_and_are_whole_in_a_file():
    names = [
        f"optimizer=momentum,lr={rate},weight_decay=0.0005,seed={seed}" for rate in ("0.01", "0.02") for seed in "01"
    ]
    rows = summary.rows_of([child("0.1", str(number), 0.5, name=name) for number, name in enumerate(names)])
    table = summary.to_table(rows)
    assert max(map(len, table.splitlines())) <= 80
    assert len({line[: summary.NAME] for line in table.splitlines()[3:]}) == len(names)
    assert all(name in summary.to_table(rows, "markdown") for name in names)
