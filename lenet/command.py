"""What all commands share: how they speak, and how they end."""

import logging
import os
import sys
from collections.abc import Callable

from lenet.errors import UserError
from lenet.signals import terminate_like_interrupt

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; the run or a job of the sweep failed; what was asked for is wrong or cannot be had; interrupted."""

log = logging.getLogger("lenet")


def run_command(command: Callable[[], int]) -> int:
    """Run a command with its output on the terminal, and return its exit code."""
    _speak()
    terminate_like_interrupt()
    try:
        return command()
    except UserError as error:
        print(f"lenet: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print("lenet: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone (`| head`); nothing more can be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _speak() -> None:
    """Print what `lenet` logs: messages as plain lines on standard output, below a progress bar where there is one."""
    from tqdm import tqdm

    class Console(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tqdm.write(self.format(record), file=sys.stdout)

    log.handlers = [console := Console(logging.INFO)]
    console.setFormatter(logging.Formatter("%(message)s"))
    log.setLevel(logging.DEBUG)
    log.propagate = False
