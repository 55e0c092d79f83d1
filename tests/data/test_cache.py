from pathlib import Path

from lenet.data.cache import user_cache


def test_the_cache_is_where_the_user_says(bare_machine: Path) -> None:
    assert user_cache() == bare_machine / "cache" / "lenet"
