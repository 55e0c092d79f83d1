"""YAML files of the user's own in which a few lines of aliases stand for more than any memory holds.

Anchors and aliases are welcome there, so they are counted for what they stand for: OmegaConf copies each of them.
"""

from pathlib import Path

import yaml

from lenet.errors import UserError

MOST_NODES = 10_000
"""Some hundred times a configuration of this project."""
PLACES = ("*.yaml", "*/*.yaml", "*/*/*.yaml")
"""Where the options of a group lie in a folder of configurations: `optimizer/mine.yaml`, `hydra/launcher/mine.yaml`."""


def check_aliases(folder: Path) -> None:
    """Raise `UserError` for a file that stands for more than `MOST_NODES` values. Broken YAML is for others to tell."""
    for path in (path for place in PLACES for path in sorted(folder.glob(place))):
        try:
            text = path.read_text(encoding="utf-8")
            if "&" not in text or "*" not in text:
                continue
            stands_for = _count(yaml.compose(text, yaml.SafeLoader), {})
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            continue
        if stands_for > MOST_NODES:
            raise UserError(
                f"{path}: with its aliases, it stands for more than {MOST_NODES:,} values, the most accepted."
            )


def _count(node: yaml.Node | None, known: dict[int, int]) -> int:
    """Return how many nodes there are with every alias replaced by what it stands for; an alias within itself is 1."""
    if node is not None and id(node) not in known:
        known[id(node)] = 1
        if isinstance(node, yaml.MappingNode):
            known[id(node)] += sum(_count(key, known) + _count(value, known) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            known[id(node)] += sum(_count(value, known) for value in node.value)
    return known[id(node)] if node is not None else 0
