"""A run as it was recorded, read back to be gone on with or repeated. Nothing of it is trusted.

The configuration is the artifact `config/config.yaml`. Until a run has written that, it is kept in tags, which MLflow
sets together with the run itself: a run that is killed at its very start can be told too.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenet import checkpoint
from lenet.checkpoint import Checkpoint
from lenet.common.stored_json import read_json
from lenet.common.stored_yaml import read_yaml
from lenet.errors import UserError
from lenet.recorded.identity import DATA
from lenet.tracking.address import masked
from lenet.tracking.tags import CONFIGURATION, RESUMED

if TYPE_CHECKING:
    from lenet.tracking.finding import Finder
    from lenet.tracking.record import RunRecord

CONFIG_FILE, OVERRIDES_FILE, ENVIRONMENT_FILE, LOG_FILE = (
    "config/config.yaml",
    "config/overrides.yaml",
    "environment.json",
    "log.txt",
)
PIECE = 5000
"""Characters of a tag that holds a piece of a configuration; MLflow takes 8,000, and counts bytes in some stores."""
MOST_RESUMED = 1000
MOST_TEXT = 16 << 20
"""The most bytes of an artifact that are read: of a log, that is; documents are held to less."""


@dataclass(frozen=True)
class Stored:
    """A run of a store, as `record` tells it.

    `config_text` is its configuration as it stands in the artifact (None: it had not got that far), `config` the same
    read, with `tracking` saying where it was found, and `overrides` are those of its command line.
    """

    finder: "Finder"
    record: "RunRecord"
    config: Mapping[str, Any]
    config_text: str | None
    overrides: tuple[str, ...]

    def text(self, name: str) -> str | None:
        """Return a text among the run's artifacts, None where there is none."""
        return _text(self.finder, self.record, name)

    def check_data(self, digest: str, saved: Checkpoint | None = None) -> None:
        """Raise `UserError` where data of this digest are not those that the run, and a checkpoint, were trained on.

        Of a run that was killed before it had data nothing is known.
        """
        told = [self.record.tags.get(DATA), *([saved.meta.get("data_digest")] if saved else [])]
        for known in told:
            if known != digest and (known is not None or self.record.status == "FINISHED"):
                raise UserError(
                    f"run `{self.record.name}`: the data are not those that it was trained on: their digest is "
                    f"{digest}, and was {known}. Accepted: the same data, wherever they lie now (data.root=… or "
                    "data.images=…)."
                )

    def environment(self) -> dict[str, Any]:
        """Return what the run ran on, empty if that was not recorded; raise `UserError` for what is no JSON object."""
        text = self.text(ENVIRONMENT_FILE)
        return {} if text is None else _read_object(text, _source(self.record, ENVIRONMENT_FILE))

    def environments(self) -> list[dict[str, Any]]:
        """Return what the run ran on at its start and each time it was gone on with; raises as `environment` does."""
        names = [f"resumed/{number}/{ENVIRONMENT_FILE}" for number in range(1, times_resumed(self.record) + 1)]
        texts = {name: self.text(name) for name in names}
        later = [_read_object(text, _source(self.record, name)) for name, text in texts.items() if text is not None]
        return [self.environment(), *later]

    def checkpoint(self, name: str) -> Checkpoint | None:
        """Return `last` or `best`, None where there is none; raises as `checkpoint.load` does."""
        with ExitStack() as stack:
            path = stack.enter_context(self.finder.artifact(self.record.id, f"checkpoints/{name}.npz"))
            return checkpoint.load(path) if path else None


def times_resumed(record: "RunRecord") -> int:
    """Return how often a run was gone on with, as its record says."""
    told = record.tags.get(RESUMED, "")
    return min(int(told), MOST_RESUMED) if told.isdecimal() and len(told) < 9 else 0


def read_stored(finder: "Finder", record: "RunRecord", uri: str | None = None) -> Stored:
    """Read what a run recorded of itself; raise `UserError` where it cannot be read, or is not there.

    `uri` is the address under which its store was asked for, None where that is found as MLflow finds it.
    """
    text = _text(finder, record, CONFIG_FILE)
    if text is None:
        config, overrides = _from_tags(record)
    else:
        config = read_yaml(text, _source(record, CONFIG_FILE))
        listed = _text(finder, record, OVERRIDES_FILE)
        overrides = read_yaml(listed, _source(record, OVERRIDES_FILE)) if listed else []
    if not isinstance(config, dict) or not isinstance(overrides, list):
        raise UserError(
            f"run `{record.name}` ({record.id}): {CONFIG_FILE} holds a {type(config).__name__} and {OVERRIDES_FILE} a "
            f"{type(overrides).__name__}; accepted: a mapping and a list."
        )
    # What a store says of where its runs are recorded is not asked.
    config = {**config, "tracking": {"uri": uri, "experiment": finder.experiment_of(record)}}
    return Stored(finder, record, config, text, tuple(map(str, overrides)))


def as_tags(config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, str]:
    """Return the tags that hold a configuration until it is an artifact."""
    text = json.dumps(masked({"config": config, "overrides": list(overrides)}))  # before it is cut
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return {f"{CONFIGURATION}{number}": piece for number, piece in enumerate(pieces)}


def _from_tags(record: "RunRecord") -> tuple[Any, Any]:
    pieces: list[str] = []
    while (piece := record.tags.get(f"{CONFIGURATION}{len(pieces)}")) is not None:
        pieces.append(piece)
    if not pieces:
        raise UserError(
            f"run `{record.name}` ({record.id}) has no {CONFIG_FILE}: it was not made by lenet, or its artifacts are "
            "not where the store says."
        )
    told = _read_object("".join(pieces), _source(record, "tags"))
    return told.get("config"), told.get("overrides")


def _read_object(text: str, source: str) -> dict[str, Any]:
    found = read_json(text, source)
    if not isinstance(found, dict):
        raise UserError(f"{source} holds a {type(found).__name__}; accepted: a JSON object.")
    return found


def _text(finder: "Finder", record: "RunRecord", name: str) -> str | None:
    with finder.artifact(record.id, name) as path:
        return None if path is None else _read(path, _source(record, name))


def _read(path: Path, source: str) -> str:
    with open(path, "rb") as file:
        data = file.read(MOST_TEXT + 1)
    if len(data) > MOST_TEXT:
        raise UserError(f"{source} is larger than {MOST_TEXT:,} bytes, the most accepted.")
    return data.decode("utf-8", errors="replace")


def _source(record: "RunRecord", name: str) -> str:
    return f"run `{record.name}` ({record.id}): {name}"
