"""A search for input that reaches new lines: what does is kept, and mutated further.

A loop of our own: Atheris has wheels for some Pythons on Linux alone and ends the process that it runs in, and a
project of plain Python whose lines are few needs no more than `sys.settrace`.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

import lenet
from tests.reliability.fuzzing.judge import Target

HOME = str(Path(lenet.__file__).parent)


class Coverage:
    """Pairs of lines, one run right after the other in a function, of the files of a folder."""

    def __init__(self, home: str = HOME) -> None:
        self.home = home
        self.pairs: set[tuple[CodeType, int, int]] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(before)

    def _call(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        code, previous = frame.f_code, 0
        if not code.co_filename.startswith(self.home):
            return None

        def line(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
            nonlocal previous
            if event == "line":
                self.pairs.add((code, previous, frame.f_lineno))
                previous = frame.f_lineno
            return line

        return line


def search(target: Target, times: int, seed: int, judge: Callable[[Any], object], home: str = HOME) -> int:
    """Give so many mutated inputs to `judge`, and return how many of them reached what none before had reached."""
    random, coverage = Random(seed), Coverage(home)
    corpus = list(target.seeds)
    for content in corpus:
        with coverage.watching():
            judge(content)
    for _ in range(times):
        at = max(random.randrange(len(corpus)), random.randrange(len(corpus)))  # rather what was found lately
        content = target.mutate(random, corpus[at], random.choice(corpus))
        known = len(coverage.pairs)
        with coverage.watching():
            judge(content)
        if len(coverage.pairs) > known:
            corpus.append(content)
    return len(corpus) - len(target.seeds)
