"""Texts are cut to the columns of a terminal that they take."""

import pytest

from lenet.common.tables import columns, cut


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
    assert columns(shown) <= 10


def test_a_long_text_is_cut_from_both_ends() -> None:
    assert cut("x" * 1000 + "end", 7) == "xxx…end"
