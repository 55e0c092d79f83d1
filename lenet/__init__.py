"""LeNet-5 in plain array code, with configured, tracked and repeatable experiments.

`from lenet import compose, train, load, predict` is the library without the command line; see `lenet.library`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lenet.library import Prediction, Result, compose, load, predict, train

__all__ = ["Prediction", "Result", "compose", "load", "predict", "train"]


def __getattr__(name: str) -> Any:
    """Import what the library offers when it is first asked for: commands do not wait for it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lenet import library

    return getattr(library, name)
