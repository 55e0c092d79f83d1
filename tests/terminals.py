"""A terminal of some width, for what a command writes to one."""

import fcntl
import os
import struct
import sys
import termios
from collections.abc import Callable

import pytest


def on_terminal(monkeypatch: pytest.MonkeyPatch, stream: str, columns: int, act: Callable[[], object]) -> str:
    """Return what is written while `act` is called and `stdout` or `stderr` is a terminal of so many columns.

    That is few thousand characters at most: they are read at the end.
    """
    reader, writer = os.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(writer, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, stream, terminal)
        act()
    shown = b""
    try:
        while more := os.read(reader, 4096):
            shown += more
    except OSError:  # nothing is left, and nobody writes any more
        pass
    os.close(reader)
    return shown.decode().replace("\r\n", "\n")
