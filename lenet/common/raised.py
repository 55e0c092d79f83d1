"""What code of a user's raised, in a few words: what, and at which of the user's own lines."""

import inspect
import traceback
from pathlib import Path
from typing import Any


def raised(error: BaseException, source: Any) -> str:
    """Return the kind and message of an exception, and the last line that it came by of the file that defines `source`.

    `source` is a class or a function; the line is left out where the exception came by no line of its file.
    """
    words = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {words}' if words else ''}{_where(error, source)}"


def _where(error: BaseException, source: Any) -> str:
    try:
        file = inspect.getsourcefile(source)
    except TypeError:  # of what is built in
        return ""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
