"""What is said where files of a published data set cannot be had: what was looked for, where, and what was there."""

import os
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from lenet.common.tables import COLUMNS
from lenet.data.published import OtherContent, Part
from lenet.errors import UserError

REPORTED = 8
"""Files, or folders of them, that a message says were passed over; more are counted."""

Rejected = tuple[Path, UserError]
"""A file of a name that was looked for, and why it is not the one."""


def search_report(
    name: str, missing: Sequence[Part], roots: Sequence[tuple[str, Path]], rejected: Sequence[Rejected], whole: bool
) -> str:
    """Return lines that say which parts were not found under which roots, and what was passed over there.

    `whole` has each file that was passed over told with its reason, digests and all: for a folder that was named as
    the one that holds them. Else files of other content are told by folder.
    """
    names = textwrap.wrap(", ".join(part.file_name for part in missing), COLUMNS - 2)
    places = [f"{root} ({label}{'' if os.path.isdir(root) else ', no such folder'})" for label, root in roots]
    lines = [f"data={name}: did not find, plain or .gz,", *_indented(names), "under", *_indented(places)]
    passed = [str(fault) for _, fault in rejected] if whole else _by_folder(rejected)
    if passed:
        more = [f"and {len(passed) - REPORTED} more"] if len(passed) > REPORTED else []
        lines += ["Passed over:", *_indented(passed[:REPORTED]), *_indented(more)]
    return "\n".join(lines)


def _by_folder(rejected: Sequence[Rejected]) -> list[str]:
    """Return a line for the files of other content in each folder, and one for each file that cannot be read."""
    told: dict[str, None] = {}
    for path, fault in rejected:
        if isinstance(fault, OtherContent):
            told[f"{path.parent}: files of {fault.owner or 'these names with other content'}"] = None
        else:
            told[str(fault)] = None
    return list(told)


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
