"""Where MNIST's four files may lie: the roots that are searched, and the candidates under them."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from lenet.data.cache import user_cache
from lenet.data.listing import check_inside
from lenet.data.published import PARTS, Part
from lenet.errors import UserError

log = logging.getLogger(__name__)

SYSTEM_ROOT = Path("/usr/share/datasets")


def default_roots(name: str) -> list[tuple[str, Path]]:
    """Return the roots searched when none is given, in order, each with a label for messages."""
    roots = [
        ("the system's", SYSTEM_ROOT / name),
        ("the system's", SYSTEM_ROOT),
        ("the cache", user_cache() / name),
    ]
    if given := os.environ.get("LENET_DATA"):
        roots.insert(0, ("$LENET_DATA", Path(os.path.expanduser(given))))
        if not os.path.isdir(roots[0][1]):
            log.warning("$LENET_DATA=%s: no such folder.", given)
    return roots


def file_names(part: Part) -> tuple[str, ...]:
    """Return the spellings of a part's name: plain first, since it reads faster than .gz."""
    dotted = part.file_name.replace("-idx", ".idx")
    return part.file_name, dotted, f"{part.file_name}.gz", f"{dotted}.gz"


def find_parts(roots: Sequence[Path]) -> dict[Part, list[Path]]:
    """Find all candidates for each part anywhere under `roots`, in their order, then by folder.

    A folder that does not exist holds none; one that cannot be read is passed over with a warning. Links to
    folders are followed, each folder once.
    """
    wanted = {name: (part, rank) for part in PARTS for rank, name in enumerate(file_names(part))}
    found: dict[Part, list[Path]] = {part: [] for part in PARTS}
    visited: set[str] = set()
    for root in filter(os.path.isdir, roots):
        for folder, subfolders, names in os.walk(root, onerror=_unreadable, followlinks=True):
            if (real := os.path.realpath(folder)) in visited:
                subfolders.clear()  # os.walk does not descend
                continue
            visited.add(real)
            subfolders.sort()  # os.walk descends in this order
            for name in sorted(wanted.keys() & set(names), key=lambda name: wanted[name][1]):
                found[wanted[name][0]].append(Path(folder, name))
    return found


def _unreadable(fault: OSError) -> None:
    log.warning("%s: cannot be searched for data (%s).", fault.filename, fault.strerror)


def one_folder(root: Path) -> dict[Part, Path]:
    """Return the four files under `root` if it is clear which they are, else raise `UserError`.

    They are those of the one folder that has all four, or, with no such folder, the only ones of their names. None may
    be a link that leaves `root`.
    """
    candidates = find_parts([root])
    missing = [part.file_name for part, paths in candidates.items() if not paths]
    if missing:
        raise UserError(f"data.root={root}: found no {' and no '.join(missing)} under it, plain or .gz.")
    for path in (path for paths in candidates.values() for path in paths):
        check_inside(path, os.path.realpath(root), f"data.root={root}")
    complete = set.intersection(*({path.parent for path in paths} for paths in candidates.values()))
    if len(complete) == 1:
        folder = complete.pop()
        return {part: next(p for p in paths if p.parent == folder) for part, paths in candidates.items()}
    if not complete and all(len(paths) == 1 for paths in candidates.values()):
        return {part: paths[0] for part, paths in candidates.items()}
    folders = sorted({str(path.parent) for paths in candidates.values() for path in paths})
    raise UserError(
        f"data.root={root}: found files of MNIST's names in {len(folders)} folders "
        f"({', '.join(folders[:5])}); accepted: a root with one set of the four."
    )
