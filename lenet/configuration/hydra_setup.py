"""Making Hydra ready: what it composes from, and what of ours it is to know."""

import importlib.util
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.conf import HydraConf
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin

from lenet.configuration import search
from lenet.configuration.composition import plain_words
from lenet.configuration.diagnosis import COMPOSING_ERRORS
from lenet.configuration.folders import Own, experiments, folder, own
from lenet.configuration.releases import register_resolver, set_base, store
from lenet.errors import UserError

OURS = {"launcher": "parallel", "sweeper": "grid", "hydra_logging": "none", "job_logging": "none"}
"""What we choose of Hydra's own groups, unless something else is asked for."""


def offer_plugins(classes: Mapping[str, type[Plugin]]) -> None:
    """Let Hydra find plugins that are no modules of the package `hydra_plugins`, by the names they would have there.

    Hydra 1.3 takes plugins from that package alone; 1.4 imports them by the name in the configuration, and checks that
    it is the class's own.
    """
    for name, plugin in classes.items():
        plugin.__module__, _, plugin.__qualname__ = name.rpartition(".")
        setattr(_module(plugin.__module__), plugin.__qualname__, plugin)
    Plugins.instance().class_name_to_class.update(classes)


def _module(name: str) -> ModuleType:
    """Return the module of this name; one that cannot be imported is made, empty, and can be from then on."""
    parent, _, last = name.rpartition(".")
    package = _module(parent) if parent else None
    if name not in sys.modules and not importlib.util.find_spec(name):
        sys.modules[name] = importlib.util.module_from_spec(ModuleSpec(name, None, is_package=True))
        if package:
            setattr(package, last, sys.modules[name])
    return importlib.import_module(name)


@contextmanager
def composing(config_dir: str | None) -> Iterator[ConfigLoader]:
    """Ready Hydra to compose from our folders, and from the user's own where `--config-dir` names one."""
    beside = own(config_dir)
    register(beside)
    set_base()
    search_path = create_config_search_path(str(folder("conf")))
    if beside.groups:
        before_ours = SearchPathQuery(provider="main")
        search_path.prepend("command-line", f"file://{beside.groups}", before_ours)
    try:
        Hydra.create_main_hydra2("lenet", search_path)
        yield GlobalHydra.instance().config_loader()
    except COMPOSING_ERRORS as error:  # where nothing says better what is wrong
        raise UserError(plain_words(error)) from error
    finally:
        GlobalHydra.instance().clear()


def register(beside: Own) -> None:
    """Give Hydra our defaults, the search as a sweeper, and every file of `experiments/` as an option of that group.

    A file of the user's own goes before one of ours with the same name.

    And `${times:…}`, by which a file can say that one number follows from another, such as a rate from a batch size.
    """
    register_resolver("times", _times)
    search.register()
    _prefer_own_launchers()
    # Not by `override hydra/launcher: …` in the menu, which no file of an experiment could override again.
    defaults = [{key: OURS.get(key, option) for key, option in entry.items()} for entry in HydraConf().defaults]
    store(group="hydra", name="config", node=HydraConf(defaults=defaults), provider="hydra")
    ConfigStore.instance().repo.pop("experiment", None)  # of another command in this process
    for name, node in {**experiments(), **beside.experiments}.items():
        store(name=name, node=node, group="experiment", package="_global_")


def _times(*factors: Any) -> float:
    """Return the product of numbers."""
    if not all(isinstance(factor, int | float) for factor in factors):
        raise ValueError(f"times takes numbers, and is given {factors}")
    product: float = math.prod(factors)
    return product


def _prefer_own_launchers() -> None:
    """Have our files of `hydra/launcher` stand alone: Hydra merges a plugin's node of the same name in, and warns."""
    Plugins.instance()  # plugins register their nodes as they are found
    registered = ConfigStore.instance().repo.get("hydra", {}).get("launcher", {})
    for path in (folder("conf") / "hydra/launcher").glob("*.yaml"):
        registered.pop(path.name, None)
