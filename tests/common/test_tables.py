"""Rows as text, and texts cut to the columns of a terminal that they take."""

import pytest

from lenet.common.tables import cut, display_width, to_table


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_row_is_one_line_whatever_it_holds(form):
    table = to_table([{"two\nlines": "a\nb\tc\x1b[1m"}], form)
    assert table.splitlines()[-1].strip("| ") == "a\\nb\\tc\\x1b[1m"
    assert "two\nlines" in table or form == "markdown"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("abcdefghij", "abcdefghij"),
        ("abcdefghijk", "abcd…ghijk"),
        ("数字数字数", "数字数字数"),
        ("数字数字数字", "数字…数字"),
        ("a数字数字数字b", "a数…数字b"),
        ("", ""),
    ],
)
def test_a_text_is_cut_to_columns_not_characters(text: str, shown: str) -> None:
    assert cut(text, 10) == shown
    assert display_width(shown) <= 10


def test_a_long_text_is_cut_from_both_ends() -> None:
    assert cut("x" * 1000 + "end", 7) == "xxx…end"
