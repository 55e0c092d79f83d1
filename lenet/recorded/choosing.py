"""Which runs a command is about: told from its keys on the command line, and found in the store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lenet.errors import UserError, did_you_mean

if TYPE_CHECKING:  # a wrong key is said before MLflow is imported, which takes more than a second
    from lenet.tracking.finding import Finder
    from lenet.tracking.record import RunRecord

KEYS = ("tracking.uri", "tracking.experiment")
EXPERIMENT = "lenet"
"""Where runs are looked for when none is named; the default of `tracking.experiment`."""

EPILOG = """\
RUN is a run's id or the beginning of one, a run's name, `last`, `best:SWEEP`,
a sweep (its runs are meant), or the name of an experiment (all its runs are).
Without one, all runs of tracking.experiment (lenet) are meant.
Keys: tracking.uri=ADDRESS, tracking.experiment=NAME."""


ONE_RUN = """\
RUN is a run's id or the beginning of one, a run's name, `last`, or
`best:SWEEP`.
Key: tracking.uri=ADDRESS, where the run is recorded."""


def split_one(words: Sequence[str]) -> tuple[str, dict[str, str], list[str]]:
    """Tell the one run that a command is about from its keys and from those that change the run's own.

    A word is a key if it begins with a name and `=`. Where all are such words, the first without a dot in its name is
    the run (`lr=0.01`); a name with a space in it is always a run's.
    """
    is_named = any("=" not in word or " " in word.partition("=")[0] for word in words)
    keys: dict[str, str] = {}
    changes: list[str] = []
    names: list[str] = []
    for word in words:
        key, separator, value = word.partition("=")
        if separator and key in KEYS[:1]:
            keys[key] = value
        elif separator and " " not in key and (names or is_named or "." in key):
            changes.append(word)
        else:
            names.append(word)
    if len(names) != 1:
        found = ", ".join(names) or "none"
        raise UserError(f"one run is needed, and given: {found}. Accepted: RUN [key=value …]; `last` is the last run.")
    return names[0], keys, changes


def split(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Tell a command's keys from the names of runs, which may hold a `=` too (`lr=0.01`)."""
    keys: dict[str, str] = {}
    names: list[str] = []
    for word in words:
        key, separator, value = word.partition("=")
        if separator and key in KEYS:
            keys[key] = value
        elif separator and (hint := did_you_mean(key, KEYS, 0.8)):
            raise UserError(f"unknown key `{key}`.{hint} Accepted: {', '.join(KEYS)}.")
        else:
            names.append(word)
    return names, keys


def open_finder(uri: str | None) -> "Finder":
    """Return what finds runs in the store at `uri` (None: where MLflow would look); raise `UserError` without one."""
    from lenet.tracking.address import tracking_uri
    from lenet.tracking.importing import without_collections

    with without_collections():
        from lenet.tracking.finding import Finder
    return Finder(tracking_uri(uri))


def choose(
    finder: "Finder", names: Sequence[str], experiment: str | None, wanted: str = "", sweeps: bool = False
) -> "list[RunRecord]":
    """Return the runs that are meant, each once, in the order in which they were named.

    `wanted` is MLflow's filter on the runs of experiments. With `sweeps`, a sweep's own run comes before its jobs, and
    runs that a resumed sweep has replaced are there too.
    Raises `UserError` where there is no such run.
    """
    from lenet.tracking.finding import is_sweep
    from lenet.tracking.tags import REPLACED

    experiments = finder.experiments()
    named = [name for name in names if name in experiments]
    if names and experiment is not None:
        raise UserError("tracking.experiment is for a whole experiment: name it, or runs, not both.")
    if not names:
        named = [EXPERIMENT if experiment is None else experiment]
    if wanted and not named:
        raise UserError("--filter picks among the runs of an experiment: name one, or no run.")
    runs: list[RunRecord] = []
    for name in names or named:
        if name in named:
            if name not in experiments:
                hint = did_you_mean(name, experiments)
                raise UserError(f"there is no experiment `{name}`.{hint} Accepted: {', '.join(experiments)}.")
            runs += reversed(finder.filtered(wanted, [experiments[name]]))
        else:
            run = finder.find(name)
            children = [child for child in finder.children(run) if sweeps or REPLACED not in child.tags]
            runs += [run, *children] if is_sweep(run) else [run]
    runs = [run for run in runs if sweeps or not is_sweep(run)]
    if not runs:
        raise UserError(f"there is no run in {', '.join(names or named)}{' with this filter' * bool(wanted)}.")
    return list({run.id: run for run in runs}.values())
