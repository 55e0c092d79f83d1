"""Importing MLflow, and reading much from its stores, in less time."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """Have the body, which imports MLflow, run without garbage collections, and keep what it made out of later ones.

    Its half a million objects live as long as the process: looking through them again and again makes up a third of
    the time that the import takes, and most of the time that the process takes to end.
    """
    if "mlflow" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def collections_paused() -> Iterator[None]:
    """Have the body, which reads many runs, run without garbage collections: they would take half of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
