"""`python -m tests.reliability.fuzzing.campaign`: thousands of inputs, in a process whose memory is bounded.

For each kind of input half are chosen by Hypothesis, and half by the search for new lines. What came out is written to
standard output as JSON, a line for each kind; what went wrong ends it with the input that did it.
"""

import argparse
import faulthandler
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.reliability.fuzzing import guided
from tests.reliability.fuzzing.judge import Outcome, Target, Violation, judge

KINDS = ("idx_images", "idx_labels", "npz", "checkpoint", "image", "table", "stored", "yaml", "overrides")
STUCK = 120.0
"""Seconds after which an input that not even a signal ends is given up, with the stack of where it is."""


def make(kind: str, folder: Path) -> Target:
    """Return what reads a kind of input, with a folder of its own. Imports no more than it needs."""
    if kind in ("idx_images", "idx_labels"):
        from tests.reliability.fuzzing.idx_files import IdxFile

        return IdxFile(kind.removeprefix("idx_"), folder)
    if kind == "npz":
        from tests.reliability.fuzzing.npz_files import NpzData

        return NpzData(folder)
    if kind == "checkpoint":
        from tests.reliability.fuzzing.checkpoints import CheckpointFile

        return CheckpointFile(folder)
    if kind in ("image", "table"):
        from tests.reliability.fuzzing import image_files

        return image_files.ImageFile(folder) if kind == "image" else image_files.LabelTable(folder)
    if kind == "stored":
        from tests.reliability.fuzzing.stored import StoredConfiguration

        return StoredConfiguration()
    from tests.reliability.fuzzing import command_lines

    return command_lines.YamlFile(folder) if kind == "yaml" else command_lines.Arguments()


def property_based(target: Target, times: int, judged: Callable[[Any], object]) -> None:
    """Let Hypothesis choose what becomes of the seeds."""
    first, second = st.sampled_from(target.seeds), st.sampled_from(target.seeds)

    @settings(
        max_examples=times,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False), first, second)
    def run(random: Random, base: Any, other: Any) -> None:
        judged(target.mutate(random, base, other))

    run()


def campaign(target: Target, times: int, seed: int, trial: Callable[[Target, Any], Outcome] = judge) -> dict[str, Any]:
    """Give so many inputs, and every seed, to a target; return what became of them, or raise `Violation`."""
    outcomes: list[Outcome] = []

    def judged(content: Any) -> None:
        faulthandler.dump_traceback_later(STUCK, exit=True)
        try:
            outcomes.append(trial(target, content))
            if content in target.seeds and not outcomes[-1].accepted:
                raise Violation("is valid, and refused")
        except Violation as violation:
            raise Violation(f"{target.name}: {content!r:.3000} {violation}") from violation
        finally:
            faulthandler.cancel_dump_traceback_later()

    started = time.monotonic()
    led = times // 2 if times >= 2 * len(target.seeds) else 0  # a search reads every seed before it begins
    property_based(target, times - led, judged)
    new = guided.search(target, led, seed, judged) if led else 0
    accepted = sum(outcome.accepted for outcome in outcomes)
    return {
        "kind": target.name,
        "inputs": len(outcomes),
        "refused": len(outcomes) - accepted,
        "accepted": accepted,
        "new": new,
        "memory": max(outcome.memory for outcome in outcomes),
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("counts", nargs="+", metavar="KIND=TIMES")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.lastResort = None  # what libraries log without being asked is not looked at here
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for count in options.counts:
            kind, _, times = count.partition("=")
            place = Path(folder, kind)
            place.mkdir()
            try:
                print(json.dumps(campaign(make(kind, place), int(times), options.seed)), flush=True)
            except Violation as violation:
                sys.exit(str(violation))
        os.chdir("/")


if __name__ == "__main__":
    main()
