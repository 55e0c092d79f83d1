"""What a user's code raised, in a few words, and at which line."""

import json
import subprocess
import sys

import pytest

from lenet.common.raised import raised


def broken(error: Exception) -> None:
    raise error


def caught(error: Exception) -> Exception:
    with pytest.raises(type(error)) as info:
        broken(error)
    return info.value


LINE = broken.__code__.co_firstlineno + 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("no\n  rows"), "ValueError: no rows"),
        (KeyError("a"), "KeyError: 'a'"),
        (NotImplementedError(), "NotImplementedError"),
    ],
)
def test_kind_message_and_line_are_told(error, words):
    assert raised(caught(error), broken) == raised(caught(error)) == f"{words} (test_raised.py, line {LINE})"


def test_the_line_is_that_of_the_file_that_defines_the_source():
    with pytest.raises(json.JSONDecodeError) as info:
        json.loads("{")
    assert "(decoder.py, line" in raised(info.value)
    assert (
        f"(test_raised.py, line {test_the_line_is_that_of_the_file_that_defines_the_source.__code__.co_firstlineno + 2}"
        in (raised(info.value, broken))
    )


def test_without_a_line_of_that_file_none_is_told():
    assert raised(ValueError("no rows"), broken) == raised(caught(ValueError("no rows")), dict) == "ValueError: no rows"


def test_a_syntax_error_tells_its_line_itself():
    with pytest.raises(SyntaxError) as info:
        compile("def f(:", "theirs.py", "exec")
    assert raised(info.value) == "SyntaxError: invalid syntax (theirs.py, line 1)"


def test_of_what_was_typed_into_an_interpreter_no_line_is_told():
    code = (
        "from lenet.common.raised import raised\n"
        "class Mine:\n    def __init__(self): raise ValueError('no rows')\n"
        "try: Mine()\nexcept ValueError as error: print(raised(error, Mine))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "ValueError: no rows\n"
