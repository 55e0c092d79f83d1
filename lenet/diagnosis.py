"""Which key, group or option of a command line is not there, and what was perhaps meant."""

from collections.abc import Sequence

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lenet.errors import did_you_mean
from lenet.flatten import flatten

CONFIG_NAME = "config"


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
                if option is not None and option not in options and not override.is_delete():
                    hint = did_you_mean(str(option), options)
                    accepted = ", ".join(options) or "nothing: there is no such group"
                    return f"`{group}={option}` is not an option.{hint} Accepted: {accepted}."
            chosen.append(str(override.input_line))
    try:
        keys = _keys(compose(CONFIG_NAME, chosen))
    except (HydraException, OmegaConfBaseException):
        return None
    for override in overrides:
        key = override.key_or_group
        if key in groups or "/" in key or override.is_add() or key.startswith("hydra."):
            continue
        if key not in keys:
            home = key.rpartition(".")[0]
            near = [name for name in keys if name.rpartition(".")[0] == home]
            hint = did_you_mean(key, [*keys, *groups])
            accepted = (
                f" Accepted under `{home}`: {', '.join(n.rpartition('.')[2] for n in near)}." if home and near else ""
            )
            return f"Unknown key `{key}`.{hint}{accepted} `--cfg job` shows all keys."
    return None


def _keys(config: DictConfig) -> list[str]:
    """Return every dotted key of a configuration, inner nodes included."""
    leaves = flatten(OmegaConf.to_container(config, resolve=False))
    keys: dict[str, None] = {}
    for leaf in leaves:
        parts = leaf.split(".")
        keys |= dict.fromkeys(".".join(parts[: end + 1]) for end in range(len(parts)))
    return list(keys)
