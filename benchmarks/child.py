"""A process that does what it is told through a pipe, and sleeps in between: `python -m benchmarks.child FD`."""

import importlib
import os
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any


def serve(orders: Connection) -> None:
    """Make the object that the first message names, then call its methods, until the pipe ends."""
    target: Any = None
    while True:
        try:
            method, arguments = orders.recv()
        except EOFError:
            return
        answer: tuple[bool, Any]
        try:
            if target is None:
                module, _, name = method.partition(":")
                target = getattr(importlib.import_module(module), name)(**arguments)
                result = None
            else:
                result = getattr(target, method)(*arguments)
            answer = (True, result)
        except Exception:
            answer = (False, traceback.format_exc())
        orders.send(answer)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
    sys.stdout.flush()
    os._exit(0)  # libraries' threads need not be asked
