"""What Hydra 1.4 with OmegaConf 2.4, which Python 3.14 needs, calls otherwise than 1.3 with 2.3."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from hydra import version
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

IS_NEW = "replace" in signature(ConfigStore.store).parameters
VERSION_BASE: Mapping[str, str] = {} if IS_NEW else {"version_base": "1.3"}
"""What `hydra.main` is told; 1.4 behaves like this without."""


def set_base() -> None:
    """Have Hydra behave as its version 1.3 does by default, from this call on."""
    if VERSION_BASE:
        version.setbase(VERSION_BASE["version_base"])


def store(**node: Any) -> None:
    """Register a node of configuration, in place of what was registered under its name."""
    ConfigStore.instance().store(**node | ({"replace": True} if IS_NEW else {}))


def register_resolver(name: str, resolver: Callable[..., Any]) -> None:
    """Register what `${name:…}` stands for, in place of what it stood for."""
    register: Callable[..., None] = OmegaConf.register_new_resolver
    if "replace" in signature(OmegaConf.register_resolver).parameters:  # until 2.4 another one had this name
        register = OmegaConf.register_resolver
    register(name, resolver, replace=True)
