"""What the benchmarks share: their options, and what they say of their libraries."""

import argparse
from collections.abc import Sequence

from benchmarks.arena import Arena


def parse(arguments: Sequence[str] | None, description: str | None, batches: Sequence[int] = ()) -> argparse.Namespace:
    """Read the options; `--batches` is one where there are defaults for it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which medians are taken (default: 5)")
    parser.add_argument("--seconds", type=float, default=0.5, help="seconds of each measurement (default: 0.5)")
    parser.add_argument("--quick", action="store_true", help="a glance: at most 3 rounds of 0.2 s, nothing written")
    if batches:
        parser.add_argument("--batches", type=int, nargs="+", default=list(batches), help="batch sizes")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = min(options.rounds, 3), min(options.seconds, 0.2)
    return options


def merged_versions(arena: Arena) -> dict[str, str]:
    """Return the versions that the contenders run on."""
    versions: dict[str, str] = {}
    for found in arena.all("versions").values():
        versions |= found
    return versions
