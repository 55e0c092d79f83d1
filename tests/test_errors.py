"""What is told can quote anything, and yet is fit to be printed."""

import pytest

from lenet.errors import Failure, UserError


@pytest.mark.parametrize("kind", [UserError, Failure])
@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("größer\nund mehr", "größer\nund mehr"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\rb\0", r"a\rb\x00"),
        ("\udcff", r"\udcff"),
        ("\u202eabc", r"\u202eabc"),
    ],
)
def test_no_terminal_acts_on_a_message_and_no_encoding_fails(kind, message, told):
    assert str(kind(message)) == told
    str(kind(message)).encode("utf-8")


@pytest.mark.parametrize("character", ["a", "\x1b"])
def test_of_a_long_message_the_middle_is_left_out(character):
    told = str(UserError(f"from{character * 100_000}to"))
    assert told.startswith("from")
    assert told.endswith("to")
    assert " […] " in told
    assert len(told) < 3100
