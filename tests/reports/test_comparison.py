"""A comparison as a table of a terminal's width."""

import re

from lenet.reports.comparison import METRICS, compare, render
from lenet.tracking.record import RunRecord


def test_a_table_tells_once_what_all_layers_share_and_drops_losses_before_it_grows_too_wide():
    def run(number, activation, first, long):
        params = {"network.activation": activation, "network.layers.1.function": activation}
        params |= {"network.layers.0.channels": first, **{f"a.{'k' * 9}{key}": long for key in "abc"}}
        metrics = dict.fromkeys(METRICS, 0.5)
        return RunRecord(str(number) * 32, f"run {number}", "FINISHED", 0.0, 1.0, params, metrics, {})

    comparison = compare([run(1, "relu", "6", "x"), run(2, "tanh", "8", "y")], METRICS[0])
    head = render(comparison, "table").splitlines()[0]
    assert "activation" in head
    assert "channels" in head
    assert "function" not in head
    assert "loss" not in head
    assert "function" in render(comparison, "csv")
    assert "test loss" in render(comparison, "markdown")


def test_a_table_that_is_wider_than_the_terminal_goes_on_below_beside_the_same_runs():
    def run(number):
        params = {f"part.parameter_{key}": f"a long value, {number}" for key in "abcdefg"}
        return RunRecord(f"{number:032}", f"run {number}", "FINISHED", 0.0, 1.0, params, {METRICS[0]: number / 10}, {})

    comparison = compare([run(number) for number in range(6)], METRICS[0])
    tables = [table.splitlines() for table in render(comparison, "table", 80).split("\n\n")]
    assert len(tables) == 2
    assert max(len(line) for table in tables for line in table) <= 80
    assert [line[:5] for table in tables for line in table[2:]] == [
        f"run {number}" for number in (5, 4, 3, 2, 1, 0)
    ] * 2
    columns = [name for table in tables for name in re.split("  +", table[0]) if name != "run"]
    assert columns == [*(f"parameter_{key}" for key in "abcdefg"), "best val", "id"]
    assert len(render(comparison, "table", 200).splitlines()) == 2 + 6
