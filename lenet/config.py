"""The command line and Hydra: what was asked for, read and composed before anything is done."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra import compose, version
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lenet.errors import UserError, did_you_mean

VERSION_BASE = "1.3"
CONFIG_NAME = "config"
HOME = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Job:
    """One run that was asked for: its overrides, and the configuration they compose to."""

    overrides: tuple[str, ...]
    config: dict[str, Any]


@dataclass(frozen=True)
class CommandLine:
    """What was asked for. `jobs` is one run, or all of a sweep; `swept` are the keys that differ between them."""

    arguments: tuple[str, ...]
    is_run: bool
    is_sweep: bool
    jobs: tuple[Job, ...] = ()
    swept: tuple[str, ...] = ()


def folder(name: str) -> Path:
    """Return the folder `conf` or `experiments`: the checkout's own where there is one, else the installed copy."""
    checkout = HOME.parent / name
    return checkout if (HOME.parent / "pyproject.toml").exists() else HOME / name


def read(arguments: Sequence[str]) -> CommandLine:
    """Read a command line and compose every job on it; raise `UserError` for a key, group or option that is not there.

    Arguments that only ask Hydra for something (`--help`, `--cfg`, …) are no run.
    """
    options = get_args_parser().parse_args(list(arguments))
    if options.help or options.hydra_help or options.info or options.shell_completion:
        return CommandLine(tuple(arguments), is_run=False, is_sweep=False)
    with _loader(options.config_dir) as loader:
        overrides = _parse(options.overrides, loader)
        is_sweep = options.multirun or any(
            o.key_or_group == "hydra.mode" and str(o.value()).endswith("MULTIRUN") for o in overrides
        )
        swept = tuple(o.get_key_element() for o in overrides if o.is_sweep_override())
        if swept and not is_sweep:
            raise UserError(f"`{swept[0]}` is given several values: add -m (--multirun) to sweep over them.")
        expanded = BasicSweeper.split_arguments(overrides, None)[0] if is_sweep else [options.overrides]
        jobs = tuple(Job(tuple(job), _compose(job, loader)) for job in expanded)
    return CommandLine(tuple(arguments), not options.cfg, is_sweep, jobs, swept)


def compose_config(overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the configuration that the overrides compose to, resolved; raise `UserError` as `read` does."""
    with _loader(None) as loader:
        return _compose(overrides, loader)


def launch(arguments: Sequence[str], task: Callable[[DictConfig], Any]) -> None:
    """Have Hydra do what the arguments say: call `task` for each job, or show help or a configuration."""
    _register_experiments()
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        hydra.main(version_base=VERSION_BASE, config_path=str(folder("conf")), config_name=CONFIG_NAME)(task)()
    finally:
        sys.argv = before


def to_dict(config: DictConfig) -> dict[str, Any]:
    """Return a composed configuration as plain containers, every interpolation resolved and no value missing."""
    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        problem = str(error).splitlines()[0]
        raise UserError(f"`{error.full_key}` must be given a value ({problem}).") from error


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings, and of lists that hold mappings, by dotted key."""
    if isinstance(node, Mapping) and node:
        items = [(str(key), value) for key, value in node.items()]
    elif isinstance(node, list) and any(isinstance(value, Mapping) for value in node):
        items = [(str(index), value) for index, value in enumerate(node)]
    else:
        return {prefix: node}
    leaves: dict[str, Any] = {}
    for key, value in items:
        leaves |= flatten(value, f"{prefix}.{key}" if prefix else key)
    return leaves


@contextmanager
def _loader(config_dir: str | None) -> Iterator[ConfigLoader]:
    """Ready Hydra to compose from our folders, and from the user's own where `--config-dir` names one."""
    _register_experiments()
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UserError(f"--config-dir is {config_dir!r}, which is not a folder.")
    version.setbase(VERSION_BASE)
    search_path = create_config_search_path(str(folder("conf")))
    if config_dir is not None:
        before_ours = SearchPathQuery(provider="main")
        search_path.prepend("command-line", f"file://{Path(config_dir).absolute()}", before_ours)
    try:
        Hydra.create_main_hydra2("lenet", search_path)
        yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().clear()


def _register_experiments() -> None:
    """Offer every file of `experiments/` as an option of the group `experiment`."""
    for path in sorted(folder("experiments").glob("*.yaml")):
        node = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        ConfigStore.instance().store(name=path.stem, node=node, group="experiment", package="_global_")


def _parse(overrides: Sequence[str], loader: ConfigLoader) -> list[Override]:
    parser = OverridesParser.create(config_loader=loader)
    parsed = []
    for override in overrides:
        try:
            if override.startswith("="):
                raise HydraException("it has no key")
            parsed += parser.parse_overrides([override])
        except HydraException as error:
            raise UserError(
                f"Cannot read `{override}`: {str(error).splitlines()[0]}. Overrides are written key=value, "
                "with quotes around values that hold special characters: key='a,b'."
            ) from error
    return parsed


def _compose(overrides: Sequence[str], loader: ConfigLoader) -> dict[str, Any]:
    try:
        config = compose(CONFIG_NAME, list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_diagnose(_parse(overrides, loader), loader) or str(error).splitlines()[0]) from error
    return to_dict(config)


def _diagnose(overrides: Sequence[Override], loader: ConfigLoader) -> str | None:
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
    keys = _keys(compose(CONFIG_NAME, chosen))
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
