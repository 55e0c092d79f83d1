"""Composing configurations with Hydra, and the jobs of a sweep in less than a composition each."""

import copy
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from lenet.common.flatten import flatten
from lenet.configuration.diagnosis import COMPOSING_ERRORS, CONFIG_NAME, diagnose, how_to_choose
from lenet.configuration.releases import register_resolver
from lenet.errors import UserError, did_you_mean

ENVIRONMENT = "oc.env"
"""OmegaConf's resolver that reads environment variables."""
LONGEST = 10_000
"""Characters of an override. Hydra's parser takes seconds for more."""
LONGEST_KEY = 200
"""Characters of a key, which Hydra looks for as a file's name too."""
GRAMMAR = re.compile(
    "no viable alternative|LexerNoViableAlt|(extraneous|mismatched) input|missing .* at|token recognition"
)
"""How the parser of Hydra's grammar puts it that it cannot go on."""
SHOWN = 200
"""Characters of an override that a message shows."""


def parse(overrides: Sequence[str], loader: ConfigLoader | None) -> list[Override]:
    """Return the overrides, read; raise `UserError` for one that cannot be. Without a loader no group is known."""
    parser = OverridesParser.create(config_loader=loader)
    parsed = []
    for override in overrides:
        try:
            if override.startswith("="):
                raise HydraException("it has no key")
            if len(override) > LONGEST or len(override.partition("=")[0]) > LONGEST_KEY:
                raise HydraException(
                    f"it is too long (up to {LONGEST:,} characters are read, {LONGEST_KEY} of the key)"
                )
            parsed += parser.parse_overrides([override])
        except (HydraException, ValueError, RecursionError) as error:
            shown, why = override[:SHOWN].replace("\n", "\\n"), _unreadable(error, override)[:SHOWN]
            if "://" in override:  # an address, perhaps with a password, whose end cannot be told here
                shown, why = f"{override.partition('=')[0][:SHOWN]}=…", "it has an address with special characters"
            raise UserError(
                f"Cannot read `{shown}`: {why}. Overrides are written key=value, "
                "with quotes around values that hold special characters: key='a,b'."
            ) from error
    return parsed


def _unreadable(error: Exception, override: str) -> str:
    """Return why an override cannot be read, without the terms of the grammar by which Hydra reads it."""
    words = plain_words(error)
    inside = re.search(r"\w+ while evaluating ('.*)", words)
    if inside:
        return f"in {inside[1]}"
    if isinstance(error, OverrideParseException) and "=" not in override:
        return "it has no `=`"
    if isinstance(error, OverrideParseException) and GRAMMAR.search(words):
        return "its brackets, quotes or other special characters do not fit together"
    return words


def compose_one(overrides: Sequence[str], loader: ConfigLoader) -> dict[str, Any]:
    """Return the configuration that overrides compose to, resolved; raise `UserError` that names what is wrong."""
    try:
        config = compose(CONFIG_NAME, list(overrides))
    except COMPOSING_ERRORS as error:
        raise UserError(explain(error, overrides, loader)) from error
    return to_dict(config)


def explain(error: Exception, overrides: Sequence[str], loader: ConfigLoader) -> str:
    """Return what is wrong with overrides that Hydra cannot compose: what was perhaps meant, or Hydra's own words."""
    parsed = parse(overrides, loader)
    words = plain_words(error)
    if not any(str(override.input_line) in words for override in parsed):
        words += f" (asked for: {' '.join(overrides) or 'nothing but the defaults'})"
    return diagnose(parsed, loader) or words


def plain_words(error: Exception) -> str:
    """Return what an exception of Hydra or of Python itself says, in one line, and of what if it knows."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, AssertionError):
        return "a defaults list has an entry that Hydra cannot read; accepted: `group: option`, both of them named"
    key = getattr(error, "full_key", None)
    words = re.sub(r" See https://hydra\.cc\S* for details", "", " ".join(str(error).split())) or type(error).__name__
    return how_to_choose(words) or (f"`{key}`: {words}" if key else words)


def compose_all(jobs: Sequence[Sequence[str]], loader: ConfigLoader) -> list[dict[str, Any]]:
    """Return the resolved configuration of each job; raise `UserError` as `compose_one` does.

    Jobs that differ only in values of keys that are there are composed once. Hydra too sets values last, in what the
    chosen options have come to; where one cannot be set, the whole composition says why.
    """
    parsed = {text: parse([text], loader)[0] for text in dict.fromkeys(text for job in jobs for text in job)}
    plain = {text: override for text, override in parsed.items() if _sets_value(override, loader)}
    bases: dict[tuple[str, ...], DictConfig] = {}
    configs = []
    for job in jobs:
        rest = tuple(text for text in job if text not in plain)
        try:
            if rest not in bases:
                bases[rest] = compose(CONFIG_NAME, list(rest))
            config = copy.deepcopy(bases[rest])
            for override in (plain[text] for text in job if text in plain):
                OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
        except COMPOSING_ERRORS:
            configs.append(compose_one(job, loader))
        else:
            configs.append(to_dict(config))
    return configs


def _sets_value(override: Override, loader: ConfigLoader) -> bool:
    """Say whether an override gives a single value to a key, and neither adds one nor chooses an option."""
    return (
        override.type == OverrideType.CHANGE
        and override.package is None
        and not override.is_sweep_override()
        and not isinstance(override.value(), dict | list)
        and not override.key_or_group.startswith("hydra.")
        # The question is dear: to answer it, Hydra copies every configuration that it has registered.
        and ("." in override.key_or_group or not loader.get_group_options(override.key_or_group))
    )


def to_dict(config: DictConfig) -> dict[str, Any]:
    """Return a composed configuration as plain containers, every interpolation resolved and no value missing.

    Raises `UserError` for one that cannot be resolved, or that reads an environment variable.
    """
    try:
        with _without_environment():
            return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        cause = error.__cause__ or error.__context__
        while cause is not None:
            if isinstance(cause, UserError):
                raise cause from None
            cause = cause.__cause__ or cause.__context__
        problem = str(error).splitlines()[0]
        raise UserError(f"`{error.full_key}` must be given a value ({problem}).") from error


def set_values(config: Mapping[str, Any], overrides: Sequence[str], accepted: Collection[str]) -> dict[str, Any]:
    """Return a resolved configuration with other values of some of its keys, of which those `accepted` may be changed.

    Raises `UserError` for another key, and for what is not a plain key=value.
    """
    changed = copy.deepcopy(dict(config))
    for override in parse(overrides, None):
        key = override.key_or_group
        *parents, last = key.split(".")
        node: Any = changed
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        there = isinstance(node, dict) and last in node
        if key not in accepted or not there:
            could = [name for name in accepted if name in flatten(changed)]
            whole = there and isinstance(node[last], dict)
            problem = "is no key of the run" if not there else "is part of what the run is and cannot be changed"
            problem = "cannot be changed as a whole" if whole else problem
            raise UserError(
                f"`{key}` {problem}.{'' if there else did_you_mean(key, could)} Accepted: {', '.join(could)}."
            )
        if override.type != OverrideType.CHANGE or override.package is not None or override.is_sweep_override():
            raise UserError(f"`{override.input_line}` is not a single value: write {key}=VALUE.")
        node[last] = override.value()
    return changed


@contextmanager
def _without_environment() -> Iterator[None]:
    """Have `oc.env` refuse: what a variable holds may be a secret, and the resolved configuration is recorded."""

    def refuse(name: object, *default: object, _node_: Node) -> None:
        raise UserError(
            f"`{_node_._get_full_key(None)}` reads the environment variable {name} (oc.env), whose value would be "
            'recorded with the run. Accepted: the value itself, which a shell can put in (key="$NAME"). A store\'s '
            "address may stand in MLFLOW_TRACKING_URI and the folder of data in LENET_DATA, and is not recorded then."
        )

    register_resolver(ENVIRONMENT, refuse)
    try:
        yield
    finally:
        register_resolver(ENVIRONMENT, oc.env)
