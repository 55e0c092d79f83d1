"""Rows as text."""

import pytest

from lenet.common.tables import to_table


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_row_is_one_line_whatever_it_holds(form):
    table = to_table([{"two\nlines": "a\nb\tc\x1b[1m"}], form)
    assert table.splitlines()[-1].strip("| ") == "a\\nb\\tc\\x1b[1m"
    assert "two\nlines" in table or form == "markdown"
