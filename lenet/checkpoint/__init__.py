"""Checkpoints: a flat `.npz` of named arrays and one JSON text, `meta`, written whole and trusted in nothing.

The file is what `numpy.savez` writes, so `numpy.load(path, allow_pickle=False)` opens it anywhere and
`json.loads(str(file["meta"]))` gives the rest. The JSON is Python's dialect, in which NaN, Infinity and
-Infinity stand for themselves: a history may hold them after a divergence, and they come back as they were.
"""

from lenet.checkpoint.checks import check
from lenet.checkpoint.form import FORMAT, MAX_BYTES, Checkpoint
from lenet.checkpoint.reading import load
from lenet.checkpoint.writing import dumps, save

__all__ = ["FORMAT", "MAX_BYTES", "Checkpoint", "check", "dumps", "load", "save"]
