"""What code of a user's raised, in a few words: what, and at which of the user's own lines."""

import inspect
import traceback
from pathlib import Path
from typing import Any


def raised(error: BaseException, source: Any = None) -> str:
    """Return the kind and message of an exception, and the last line that it came by of the file that defines `source`.

    `source` is a class or a function, None: of any file. The line is left out where there is none, or it is told.
    """
    words = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {words}' if words else ''}{_where(error, source)}"


def _where(error: BaseException, source: Any) -> str:
    if isinstance(error, SyntaxError):  # whose message has it
        return ""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    if source is not None:
        try:
            file = inspect.getsourcefile(source)
        except (TypeError, OSError):  # of what is built in, or was typed into an interpreter
            return ""
        frames = [frame for frame in frames if frame.filename == file]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
