"""The user's cache folder."""

from pathlib import Path

import platformdirs


def user_cache() -> Path:
    """Return the folder for downloaded and parsed data, which need not exist yet."""
    return Path(platformdirs.user_cache_dir("lenet", appauthor=False))
