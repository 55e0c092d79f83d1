"""The trial by mutated input catches what it is there to catch: each reader here is broken on purpose."""

import sys
import textwrap
import time
import warnings
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lenet.errors import UserError
from tests.reliability.fuzzing import guided
from tests.reliability.fuzzing.campaign import campaign
from tests.reliability.fuzzing.judge import LONGEST_MESSAGE, MEMORY, Outcome, Violation, judge
from tests.reliability.fuzzing.mutations import mutate_bytes


class Reader:
    """A target that does with input what it is told to."""

    name = "numbers"

    def __init__(self, read: Any) -> None:
        self.read = read
        self.seeds = [b"12", b"3"]

    def mutate(self, random: Random, base: bytes, other: bytes) -> bytes:
        return mutate_bytes(random, base, other)

    def names(self, content: bytes) -> list[str]:
        return ["x.txt"]

    def check(self, content: bytes, result: Any) -> None:
        assert str(result).encode() == content


def refuse(message: str) -> None:
    raise UserError(message)


def careful(content: bytes) -> int:
    if content not in (b"12", b"3", b"1"):
        raise UserError("x.txt holds no number.")
    return int(content)


def hang(content: bytes) -> None:
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            continue


def warn(content: bytes) -> int:
    warnings.warn("on 32 bits", RuntimeWarning, stacklevel=1)
    return int(content)


def swallow(content: bytes) -> None:
    try:
        bytearray(2 * MEMORY)
    except Exception as error:
        raise UserError(f"x.txt: damaged ({type(error).__name__})") from error


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (lambda content: {}["no"], "raises KeyError"),
        (lambda content: sys.exit(2), "raises SystemExit"),
        (hang, "hangs"),
        (warn, "warns: on 32 bits"),
        (lambda content: 13, "is accepted and not valid"),
        (lambda content: refuse(""), "is empty"),
        (lambda content: refuse("wrong"), "names none of"),
        (lambda content: refuse("x.txt: Traceback (most recent call last)"), "says 'Traceback'"),
        pytest.param(
            lambda content: bytearray(2 * MEMORY),
            "raises MemoryError",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux alone"),
        ),
        pytest.param(
            swallow,
            "says 'MemoryError'",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux alone"),
        ),
    ],
)
def test_a_broken_reader_is_caught(read, says):
    with pytest.raises(Violation, match=says):
        judge(Reader(read), b"12", seconds=0.2)


@pytest.mark.parametrize(("told", "fault"), [("x.txt \x1b[2J", "is not printable"), ("x.txt" * 1000, "has 5000 char")])
def test_a_message_that_is_not_fit_to_be_printed_is_caught(told, fault):
    error = UserError("")
    error.args = (told,)  # past what makes it fit

    def read(content: bytes) -> None:
        raise error

    assert len(told) > LONGEST_MESSAGE or "\x1b" in told
    with pytest.raises(Violation, match=fault):
        judge(Reader(read), b"12")


def test_a_careful_reader_passes():
    assert judge(Reader(careful), b"12").accepted
    assert not judge(Reader(careful), b"x").accepted


def test_a_campaign_finds_a_fault_that_few_inputs_show():
    def read(content: bytes) -> int:
        return careful(content) if len(content) < 5 else int(content[0:0])

    with pytest.raises(Violation, match=r"numbers: b'.*raises ValueError"):
        campaign(Reader(read), 200, seed=0)
    told = campaign(Reader(careful), 200, seed=0)
    assert told["inputs"] == told["refused"] + told["accepted"] >= 200


def test_a_campaign_is_the_same_each_time():
    def inputs() -> list[bytes]:
        seen: list[bytes] = []

        def note(target: Any, content: bytes) -> Outcome:
            seen.append(content)
            return judge(target, content)

        campaign(Reader(careful), 100, seed=0, trial=note)
        return seen

    first = inputs()
    assert first == inputs()
    assert len(set(first)) > 50


NESTED = """
def read(content):
    if content[0:1] == b"L":
        if content[1:2] == b"E":
            if content[2:3] == b"N":
                if content[3:4] == b"E":
                    raise RuntimeError("found")
"""


def test_the_search_is_led_by_new_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "nested_reader.py").write_text(textwrap.dedent(NESTED))
    monkeypatch.syspath_prepend(tmp_path)
    import nested_reader  # type: ignore[import-not-found]

    class Letters(Reader):
        def mutate(self, random: Random, base: bytes, other: bytes) -> bytes:
            at = random.randrange(4)
            return base[:at] + bytes([random.randrange(65, 91)]) + base[at + 1 :]

    target = Letters(nested_reader.read)
    target.seeds = [b"AAAA"]
    with pytest.raises(RuntimeError, match="found"):  # of 26^4 = 456,976, at a few hundred steps for each letter
        guided.search(target, 3000, 0, target.read, home=str(tmp_path))
    guided.search(target, 3000, 0, target.read, home="/nowhere")  # without being led it is not found
