"""What all commands share: how they speak, and how they end."""

import io
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO

from lenet.common.signals import sigterm_like_ctrl_c
from lenet.errors import Failure, UserError, escaped
from lenet.tracking.address import mask

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; the run or a job of the sweep failed; what was asked for is wrong or cannot be had; interrupted."""

WORD = re.compile(r"""(\s*)((?:`[^`\n]*`|(?<!\w)'[^'\n]*'(?!\w)|(?<!\w)"[^"\n]*"(?!\w)|\S)+)""")
"""What stands before a word, and the word, in which may be spaces between quotes; an apostrophe is none."""

log = logging.getLogger("lenet")


def run_command(command: Callable[[], int]) -> int:
    """Run a command with what `lenet` logs on standard output, and return its exit code."""
    with _speaking(), sigterm_like_ctrl_c():
        try:
            return command()
        except UserError as error:
            write_error(f"lenet: {error}\n")
            return WRONG
        except Failure as error:
            write_error(f"lenet: {error}\n")
            return FAILED
        except KeyboardInterrupt:
            print("lenet: interrupted", file=sys.stderr)
            return INTERRUPTED


def fit(text: str) -> str:
    """Return a text as it may be shown: passwords in addresses masked, and nothing in it that steers a terminal.

    Much of what is shown comes from a store, where names and values can be anything.
    """
    return escaped(mask(text))


def as_called(text: str) -> str:
    """Return a text with each `python -m lenet.run` in it written as this command was called: perhaps `lenet run`."""
    called = Path(sys.argv[0])
    if called.stem == "lenet":
        return text.replace("python -m lenet.", "lenet ").replace("python -m lenet", "lenet")
    together = called.name == "__main__.py" and called.parent.name == "lenet"
    return text.replace("python -m lenet.", "python -m lenet ") if together else text


def write_out(text: str) -> None:
    """Write what a command was asked for to standard output, in whatever its encoding can say.

    A reader that has gone (`| head`) has had enough; raises `Failure` where the output cannot be written.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        sys.stdout.write(fit(text))
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is not tried again at the end
        if not isinstance(error, BrokenPipeError):
            raise Failure(f"the output cannot be written: {error.strerror}.") from error


def write_error(text: str) -> None:
    """Write what is told besides what a command was asked for to standard error, where nothing may read it.

    Commands in it are written as this one was called. On a terminal, lines that are too long for it are wrapped;
    elsewhere a line stays one, to be searched for.
    """
    with suppress(OSError):
        sys.stderr.write(_fitting(as_called(fit(text)), terminal_width(sys.stderr)))
        sys.stderr.flush()


def terminal_width(stream: TextIO) -> int | None:
    """Return the columns of the terminal that a stream writes to; None where it is none, or does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # no terminal; no file at all, or a closed one
        return None


@contextmanager
def masked_output(width: int | None = None, edit: Callable[[str], str] = str) -> Iterator[None]:
    """Hold back what others print within; write it out, edited, with passwords masked, in lines of at most `width`."""
    text = io.StringIO()
    try:
        with redirect_stdout(text):
            yield
    finally:
        write_out(_fitting(edit(text.getvalue()), width))


def _fitting(text: str, width: int | None) -> str:
    """Return a text with each line that is longer than `width` wrapped; None wraps none."""
    lines = text.splitlines(keepends=True)
    return "".join(_wrapped(line, width) if width and len(line.rstrip("\n")) > width else line for line in lines)


def _wrapped(line: str, width: int) -> str:
    """Break a line between words, and indent what follows.

    A word is not broken, nor is what stands in quotes: a path, an address or a command can be copied as a whole, and
    where it is longer than a line, has one of its own, which the terminal wraps.
    """
    indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
    lines = [""]
    for space, word in WORD.findall(line.rstrip()):
        if lines[-1].strip() and len(lines[-1] + space + word) > width:
            lines.append(indent + word)
        else:
            lines[-1] += space + word
    return "\n".join(lines) + "\n" * line.endswith("\n")


class _Console(logging.Handler):
    """Messages as plain lines on standard output, above a progress bar where there is one.

    Commands in them are written as this one was called; what a run records of its log has one form.
    """

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        try:
            tqdm.write(as_called(fit(self.format(record))), file=sys.stdout)
        except OSError:
            # Whoever read our output has gone (`| head`), or its disk is full. The work goes on without a listener.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _speaking() -> Iterator[None]:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever called: the work goes on without a listener
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an encoding that lacks a character is no reason to fail
    console = _Console(logging.INFO)
    before = log.handlers, log.level, log.propagate
    log.handlers, log.propagate = [console], False
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.handlers, _, log.propagate = before
        log.setLevel(before[1])
