"""`python -m experiments.measure [NAME…] [key=value…]`: run experiments with all their seeds, and export each."""

import subprocess
import sys
import time
from collections.abc import Sequence

from experiments import export
from experiments.results import RESULTS
from experiments.sections import names
from lenet.command_line.command import DONE, FAILED, run_command, write_out
from lenet.errors import UserError, did_you_mean
from lenet.recorded.choosing import open_finder

URI = "tracking.uri="


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the experiments that are named, or all of the report's, and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    overrides = [word for word in arguments if "=" in word or word.startswith("~")]
    chosen = [word for word in arguments if word not in overrides] or names()
    for name in chosen:
        if name not in names():
            raise UserError(f"the report has no `{name}`.{did_you_mean(name, names())} Accepted: {', '.join(names())}.")
    kept = [name for name in chosen if not measure(name, overrides)]
    if kept:
        write_out(f"Not measured: {', '.join(kept)}; what there was of them is kept.\n")
    return FAILED if kept else DONE


def measure(name: str, overrides: Sequence[str]) -> bool:
    """Run an experiment's sweep in a process of its own and export it; return whether that gave a result."""
    begun = time.time()
    command = [sys.executable, "-m", "lenet.run", f"experiment={name}", *overrides, "-m"]
    if subprocess.run(command, check=False).returncode != DONE:
        return False
    uri = next((word.removeprefix(URI) for word in reversed(overrides) if word.startswith(URI)), None)
    finder = open_finder(uri)
    try:
        write_out(f"{export.export(finder, export.latest(finder, name, begun), RESULTS)}\n")
    except UserError as error:  # the other experiments are measured all the same
        write_out(f"lenet: {error}\n")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
