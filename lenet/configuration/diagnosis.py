"""Which key, group or option of a command line is not there, and what was perhaps meant."""

import re
from collections.abc import Sequence

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lenet.common.flatten import flatten
from lenet.errors import did_you_mean

CONFIG_NAME = "config"
COMPOSING_ERRORS = (
    *(HydraException, OmegaConfBaseException, YAMLError, ValueError, OSError, RecursionError),
    AssertionError,  # by which Hydra tells of an entry of a defaults list without a group or an option
)
"""What composing raises over a wrong override, or over a user's own YAML."""
CHOSEN = re.compile(
    r"Multiple values for ([\w/]+)[.@]"
    r"|Could not override 'experiment/([\w/]+)@"
    r"|Could not find 'experiment/([\w/]+)/[^/']+'"
)
"""How Hydra tells of an option that an experiment chooses without `override` or without `/` before its group."""


def diagnose(overrides: Sequence[Override], loader: ConfigLoader) -> str | None:
    """Return what is wrong with the first override that names a group, an option or a key which is not there."""
    groups = [group for group in loader.list_groups("") if group != "hydra"]
    chosen = []
    for override in overrides:
        group = override.key_or_group
        if group in groups or "/" in group:
            options = loader.get_group_options(group, ObjectType.CONFIG)
            value = override.value()
            for option in value if isinstance(value, list) else [value]:
                nothing = option is None and group == "experiment"  # the one group that may be left empty
                if option not in options and not nothing and not override.is_delete():
                    hint = did_you_mean(str(option), options)
                    accepted = ", ".join(options) or "nothing: there is no such group"
                    shown = "null" if option is None else option
                    return f"`{group}={shown}` is not an option.{hint} Accepted: {accepted}."
            chosen.append(str(override.input_line))
    try:
        keys = _keys(compose(CONFIG_NAME, chosen))
    except COMPOSING_ERRORS:
        return None
    for override in overrides:
        key = override.key_or_group
        if key in groups or "/" in key or override.is_add() or key.startswith("hydra."):
            continue
        if key not in keys:
            home = key.rpartition(".")[0]
            near = [name for name in keys if name.rpartition(".")[0] == home]
            hint = _hint(key, keys, groups)
            accepted = (
                f" Accepted under `{home}`: {', '.join(n.rpartition('.')[2] for n in near)}." if home and near else ""
            )
            return f"Unknown key `{key}`.{hint}{accepted} `--cfg job` shows all keys."
    return None


def how_to_choose(words: str) -> str | None:
    """Return how a defaults list chooses an option, where Hydra's words tell of one that does it in another way."""
    if not (found := CHOSEN.search(words)):
        return None
    group = next(filter(None, found.groups()))
    return f"`{group}` is not chosen like that in a defaults list; accepted: `override /{group}: OPTION`"


def _hint(key: str, keys: Sequence[str], groups: Sequence[str]) -> str:
    """Suggest a key for a name that is not one: by its last word alone, or as a whole if that is very near."""
    home, _, word = key.rpartition(".")
    if not home and (same := [name for name in keys if name.rpartition(".")[2] == word]):
        return f" Did you mean `{same[0]}`?"
    near = did_you_mean(word, [name.rpartition(".")[2] for name in keys if name.rpartition(".")[0] == home])
    if near and home:
        return near.replace("`", f"`{home}.", 1)
    return near or did_you_mean(key, [*groups, *keys], nearness=0.8)


def _keys(config: DictConfig) -> list[str]:
    """Return every dotted key of a configuration, inner nodes included."""
    leaves = flatten(OmegaConf.to_container(config, resolve=False))
    keys: dict[str, None] = {}
    for leaf in leaves:
        parts = leaf.split(".")
        keys |= dict.fromkeys(".".join(parts[: end + 1]) for end in range(len(parts)))
    return list(keys)
