"""What an extra of the package installs, and whether it is there."""

import importlib.util

from lenet.errors import UserError


def is_installed(plugin: str) -> bool:
    """Say whether a plugin of Hydra, such as `hydra_optuna_sweeper`, is there, without importing it."""
    return bool(importlib.util.find_spec("hydra_plugins") and importlib.util.find_spec(f"hydra_plugins.{plugin}"))


def require(plugin: str, extra: str, choice: str, accepted: str) -> None:
    """Raise `UserError` where the plugin that `choice` needs is not installed; `accepted` is what can be had anyway."""
    if not is_installed(plugin):
        raise UserError(
            f"`{choice}` needs the package {plugin}, which is not installed: `pip install 'lenet[{extra}]'`, "
            f"or in a checkout `pip install -e '.[{extra}]'`. Accepted without it: {accepted}."
        )
