"""Which image files a folder holds, and their labels: one folder for each class, or a table."""

import csv
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lenet.common.tables import cut
from lenet.data.dataset import MAX_CLASSES
from lenet.errors import UserError

LAYOUTS = (
    "accepted: one folder for each class, or `train` and `test` with one folder for each class in both, "
    "or data.labels=FILE.csv with columns `file` and `label`"
)
MAX_TABLE = 256 * 2**20
"""Bytes of a table of labels."""


class Listed(NamedTuple):
    """An image file and its label, as text."""

    path: Path
    label: str


def list_classes(folder: Path, root: Path) -> list[Listed]:
    """List the images in the class folders of `folder`, sorted by class, then by name; hidden files are
    ignored.

    Raises `UserError` for anything else than images in class folders, and for a link that leaves `root`.
    """
    listed: list[Listed] = []
    real_root = os.path.realpath(root)
    check_inside(folder, real_root, str(root))  # `folder` may be root/train, and that a link
    for class_folder in _visible(folder, real_root):
        if not os.path.isdir(class_folder):
            raise UserError(f"{class_folder}: found a file where a class folder was expected; {LAYOUTS}.")
        files = _visible(class_folder, real_root)
        if not files:
            raise UserError(f"{class_folder}: found no images in this class folder; {LAYOUTS}.")
        for file in files:
            if os.path.isdir(file):
                raise UserError(f"{file}: found a folder where an image was expected; {LAYOUTS}.")
            listed.append(Listed(file, class_folder.name))
    if not listed:
        raise UserError(f"{folder}: found no class folders; {LAYOUTS}.")
    return sorted(listed, key=lambda item: (_class_order(item.label), item.path.name))


def list_table(table: Path, root: Path) -> list[Listed]:
    """List the images that the CSV file `table` names, in its order; their paths are relative to `root`.

    Raises `UserError`, with the line, for what is not a file under `root` with a label, and for a table outside it.
    """
    listed: dict[Path, Listed] = {}
    real_root = os.path.realpath(root)
    try:
        check_inside(table, real_root, "data.labels")
        if not os.path.isfile(table) or table.stat().st_size > MAX_TABLE:
            raise UserError(f"data.labels={table}: no such file, or more than {MAX_TABLE} bytes; accepted: a CSV file.")
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if not {"file", "label"} <= set(rows.fieldnames or ()):
                raise UserError(
                    f"{table}: found the columns {_shown(rows.fieldnames or [])}; accepted: `file` and `label`."
                )
            for row in rows:
                where = f"{table}, line {rows.line_num}"
                name, label = row["file"], row["label"]
                if not name or not label:
                    raise UserError(
                        f"{where}: found file {_shown(name)} with label {_shown(label)}; accepted: both, not empty."
                    )
                path = root / name
                check_inside(path, real_root, where)
                if not os.path.isfile(path):
                    raise UserError(f"{where}: found no such file: {path}; accepted: images under {root}.")
                if path in listed:
                    raise UserError(f"{where}: found {path} a second time; accepted: each file once.")
                listed[path] = Listed(path, label.strip())
    except (OSError, ValueError, csv.Error) as fault:
        raise UserError(f"{table}: cannot be read as a table ({fault}); accepted: CSV in UTF-8.") from fault
    if not listed:
        raise UserError(f"{table}: found no rows; accepted: a line for each image.")
    return list(listed.values())


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct labels as class names: numbers first, by value, then others by name."""
    names = tuple(sorted(set(labels), key=_class_order))
    if len(names) > MAX_CLASSES:
        raise UserError(f"found {len(names)} classes {names[:3]}; accepted: at most {MAX_CLASSES}.")
    return names


def holds_folders(folder: Path) -> bool:
    """Say whether a folder holds folders that are not hidden, as `train` and `test` do, and no class folder does."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.is_dir() for entry in entries if not entry.name.startswith("."))
    except OSError:
        return False  # which is said where its images are listed


def _class_order(label: str) -> tuple[bool, int, str]:
    number = int(label) if re.fullmatch(r"-?[0-9]{1,18}", label) else None
    return number is None, number or 0, label


def _visible(folder: Path, real_root: str) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            visible = sorted((item.name, item.is_symlink()) for item in entries if not item.name.startswith("."))
    except OSError as fault:
        raise UserError(f"{folder}: cannot be read ({fault.strerror}); {LAYOUTS}.") from fault
    for name, is_link in visible:
        if is_link:  # nothing else can leave a folder that is inside itself
            check_inside(folder / name, real_root, str(folder))
    return [folder / name for name, _ in visible]


def _shown(value: object) -> str:
    return cut(repr(value), 100)


def check_inside(path: Path, real_root: str, where: str) -> None:
    """Raise `UserError` if `path`, links resolved, lies outside `real_root`."""
    if os.path.commonpath([os.path.realpath(path), real_root]) != real_root:
        raise UserError(f"{where}: {path} leaves the root; accepted: files under {real_root}.")
