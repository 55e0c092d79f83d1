"""The command line and Hydra: what was asked for, read and composed before anything is done."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.core.utils import env_override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from lenet.configuration import search
from lenet.configuration.composition import compose_all, compose_one, explain, parse, to_dict
from lenet.configuration.diagnosis import COMPOSING_ERRORS, CONFIG_NAME
from lenet.configuration.folders import folder, own
from lenet.configuration.hydra_setup import OURS, composing, register
from lenet.configuration.releases import VERSION_BASE
from lenet.configuration.sweeper import ends, grid
from lenet.errors import UserError, did_you_mean

REFUSED = ("config_name", "config_path", "experimental_rerun")
"""Options of Hydra's that are not for us."""


@dataclass(frozen=True)
class Job:
    """One run that was asked for: its overrides, and the configuration they compose to."""

    overrides: tuple[str, ...]
    config: dict[str, Any]


@dataclass(frozen=True)
class CommandLine:
    """What was asked for. `jobs` is one run, or all of a sweep; `swept` are the keys that differ between them.

    A search has `ranges` instead, by key, as they were written; its `jobs` lie at their ends, and are only there to be
    checked. `experiment` is the file of that group that all jobs were composed with, if there is one. `launcher` and
    `sweeper` are the configuration's nodes `hydra.launcher` and `hydra.sweeper`, and `config_dir` is the user's own
    folder, as it was given.
    """

    options: tuple[str, ...]
    overrides: tuple[str, ...]
    is_run: bool
    is_sweep: bool = False
    jobs: tuple[Job, ...] = ()
    swept: tuple[str, ...] = ()
    experiment: str | None = None
    launcher: Mapping[str, Any] = field(default_factory=dict)
    sweeper: Mapping[str, Any] = field(default_factory=dict)
    is_search: bool = False
    ranges: Mapping[str, str] = field(default_factory=dict)
    folder: str = "."
    config_dir: str | None = None


def read(arguments: Sequence[str], sweeps: bool = True) -> CommandLine:
    """Read a command line and compose every job on it; raise `UserError` for a key, group or option that is not there.

    Without `sweeps` it is one for a single job.

    Arguments that only ask Hydra for something (`--help`, `--cfg`, …) are no run.
    """
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    given = parser.parse_intermixed_args(list(arguments))
    for option in REFUSED:
        if getattr(given, option):
            raise UserError(f"--{option.replace('_', '-')} is not for this command; accepted: --config-dir FOLDER.")
    overrides = tuple(given.overrides)
    options = tuple(argument for argument in arguments if argument not in overrides)
    if given.help or given.hydra_help or given.info or given.shell_completion:
        return CommandLine(options, overrides, is_run=False, config_dir=given.config_dir)
    if given.multirun and given.cfg:
        raise UserError("--cfg shows one configuration: leave out -m, and give every key one value.")
    with composing(given.config_dir) as loader:
        parsed = parse(overrides, loader)
        whole, own = _compose_whole(overrides, loader)
        is_sweep = given.multirun or own.mode == RunMode.MULTIRUN
        params = _params(own) if is_sweep else {}
        declared = parse([f"{key!s}={value!s}" for key, value in params.items()], loader)
        final = {o.get_key_element().lstrip("+"): o for o in (*declared, *parsed)}
        swept = {key: o for key, o in final.items() if o.is_sweep_override()}
        if swept and not is_sweep:
            hint = "add -m (--multirun) to sweep over them." if sweeps else "accepted here: one."
            raise UserError(f"`{next(iter(swept))}` is given several values: {hint}")
        if is_sweep and not sweeps:
            raise UserError("hydra.mode is MULTIRUN, which makes a sweep of it: one configuration is accepted here.")
        is_search = is_sweep and own.sweeper.get("_target_") not in (None, *search.GRIDS)
        split = ends if is_search else grid
        jobs = split([*declared, *parsed]) if is_sweep else [list(overrides)]
        if given.cfg:
            composed: list[dict[str, Any]] = [{}]  # Hydra itself shows it
        else:
            composed = compose_all(jobs, loader) if is_sweep else [to_dict(whole)]
        folder_of_sweep = str(own.sweep.dir) if is_sweep else "."
        nodes: dict[str, Any] = {part: OmegaConf.to_container(own[part]) for part in ("launcher", "sweeper")}
    return CommandLine(
        options,
        overrides,
        is_run=not given.cfg,
        is_sweep=is_sweep,
        jobs=tuple(Job(tuple(job), config) for job, config in zip(jobs, composed, strict=True)),
        swept=tuple(swept),
        experiment=_experiment(final.get("experiment")),
        is_search=is_search,
        ranges={key: str(o.input_line).partition("=")[2] for key, o in swept.items()} if is_search else {},
        folder=folder_of_sweep,
        config_dir=given.config_dir,
        **nodes,
    )


def compose_config(overrides: Sequence[str] = (), config_dir: str | None = None) -> dict[str, Any]:
    """Return the configuration that the overrides compose to, resolved; raise `UserError` as `read` does.

    `config_dir` is what `--config-dir` would name.
    """
    with composing(config_dir) as loader:
        for override in parse(overrides, loader):
            if override.is_sweep_override():
                raise UserError(
                    f"`{override.key_or_group}` is given several values; accepted here: one. "
                    "For several, do this for each of them; `python -m lenet.run … -m` trains a sweep."
                )
        return compose_one(overrides, loader)


def launch(command: CommandLine, task: Callable[[DictConfig], Any], extra: Sequence[str] = ()) -> None:
    """Have Hydra do what was asked for, with some more overrides: call `task` for each job, or show something."""
    beside = own(command.config_dir)
    register(beside)
    before = sys.argv
    # What a file says of the mode, Hydra 1.4 takes only if the command line says so too.
    mode = [] if not command.is_sweep or {"-m", "--multirun"} & set(command.options) else ["-m"]
    groups = [f"--config-dir={beside.groups}"] if beside.groups else []  # of what is given twice, the last counts
    sys.argv = [before[0], *command.overrides, *extra, *command.options, *mode, *groups]
    # Else Hydra would write what goes wrong to the terminal itself, and exit.
    raising = {"HYDRA_FULL_ERROR": "1"} if command.is_sweep else {}
    try:
        with env_override(raising):
            hydra.main(**VERSION_BASE, config_path=str(folder("conf")), config_name=CONFIG_NAME)(task)()
    finally:
        sys.argv = before


def _compose_whole(overrides: Sequence[str], loader: ConfigLoader) -> tuple[DictConfig, DictConfig]:
    """Return the configuration, and what it says of Hydra itself: how to sweep, and with what.

    A key that is swept over is in it as it was given; of a single run, it is that run's.
    """
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    try:
        config = hydra.compose_config(
            CONFIG_NAME,
            list(overrides),
            RunMode.MULTIRUN,
            with_log_configuration=False,
            from_shell=False,
            validate_sweep_overrides=False,
        )
    except COMPOSING_ERRORS as error:
        raise UserError(explain(error, overrides, loader)) from error
    if config.hydra.job.chdir:
        raise UserError("`hydra.job.chdir` is true; accepted: false, since stores and data are found from this folder.")
    node: DictConfig = config.hydra
    for part in ("launcher", "sweeper"):
        if not isinstance(node[part], DictConfig):
            raise UserError(f"`hydra.{part}` is {node[part]!r}; it is chosen with hydra/{part}={OURS[part]}.")
    with open_dict(config):
        del config["hydra"]
    return config, node


def _params(own: DictConfig) -> dict[str, Any]:
    """Return what a configuration itself sweeps over, by key."""
    params = own.sweeper.get("params")
    if params is not None and not isinstance(params, DictConfig):
        raise UserError(f"`hydra.sweeper.params` is {params!r}; accepted: a mapping of keys to values.")
    return dict(params or {})


def _experiment(override: Override | None) -> str | None:
    """Return the experiment that an override chooses for all jobs (of several, all of them), if it does."""
    if override is None or override.is_sweep_override():
        return None
    value = override.value()
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def _refuse(message: str) -> NoReturn:
    """Raise `UserError` with the reason that `argparse` gives."""
    hint = did_you_mean(
        message.split()[-1], ("--multirun", "--cfg", "--config-dir", "--help", "--hydra-help", "--info")
    )
    raise UserError(
        f"{message.removeprefix('argument ')}.{hint} Accepted: key=value, -m; `--hydra-help` lists the rest."
    )
