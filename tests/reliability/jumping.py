"""`python -m tests.reliability.jumping COMMAND …`: a command on a machine whose clock jumps, to and fro, by days."""

import random
import runpy
import sys
import time

DAY = 86_400.0


def main() -> None:
    chance, clock = random.Random(0), time.time
    offset = 0.0

    def jumping() -> float:
        nonlocal offset
        if chance.random() < 0.05:
            offset = chance.uniform(-3, 3) * DAY
        return clock() + offset

    time.time = jumping
    time.time_ns = lambda: int(jumping() * 1e9)
    _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
