"""The folders that configurations come from: the installed ones, and a user's own beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lenet.configuration.aliases import check_aliases
from lenet.errors import UserError

HOME = Path(__file__).resolve().parents[1]
GROUPS, EXPERIMENTS = "conf", "experiments"

Experiments = Mapping[str, DictConfig | ListConfig]
"""What files of experiments say, by their names without `.yaml`."""


@dataclass(frozen=True)
class Own:
    """What a user has beside the installed folders: one that holds options of groups, and experiments."""

    groups: Path | None = None
    experiments: Experiments = field(default_factory=dict)


def folder(name: str) -> Path:
    """Return the folder `conf` or `experiments`: the checkout's own where there is one, else the installed copy."""
    checkout = HOME.parent / name
    return checkout if (HOME.parent / "pyproject.toml").exists() else HOME / name


@cache
def experiments() -> Experiments:
    """Return every installed experiment, read once: YAML in Python is slow."""
    return {path.stem: OmegaConf.load(path) for path in sorted(folder(EXPERIMENTS).glob("*.yaml"))}


def own(config_dir: str | None) -> Own:
    """Return what `--config-dir` names: a folder like our checkout, with `conf/`, `experiments/` or both, or a `conf`.

    Raises `UserError` for what is no folder, and for a file of experiments that cannot be read.
    """
    if config_dir is None:
        return Own()
    home = Path(config_dir)
    if not home.is_dir():
        raise UserError(f"--config-dir is {config_dir!r}, which is not a folder.")
    groups = home / GROUPS if (home / GROUPS).is_dir() else home
    check_aliases(groups)
    check_aliases(home / EXPERIMENTS)
    paths = sorted((home / EXPERIMENTS).glob("*.yaml"))
    return Own(groups.absolute(), {path.stem: _read(path) for path in paths})


def _read(path: Path) -> DictConfig:
    try:
        node = OmegaConf.load(path)
    except (YAMLError, OmegaConfBaseException, OSError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: cannot be read as YAML: {problem}.") from error
    if not isinstance(node, DictConfig):
        raise UserError(f"{path}: holds a list; accepted: a mapping of keys to values.")
    return node
