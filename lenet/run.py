"""`python -m lenet.run [key=value …] [-m]`: one run, or a sweep."""

import sys
from collections.abc import Sequence

from lenet.command_line import completion
from lenet.command_line.command import DONE, FAILED, as_called, masked_output, run_command
from lenet.common.tables import COLUMNS
from lenet.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    if completion.asked():
        from lenet.command_line.suggestions import suggest

        suggest()
    # Imported step by step: Hydra, then NumPy, and MLflow only once everything is checked.
    from lenet.configuration.config import launch, read

    command = read(arguments)
    if not command.is_run:
        helps = {"-h", "--help"} & set(command.options)
        with masked_output(*(COLUMNS, as_called) if helps else ()):
            launch(command, lambda config: None)
        return DONE
    from lenet.configuration.build import build

    plans = [build(job.config) for job in command.jobs]
    if command.is_sweep:
        from lenet.tracking.importing import without_collections

        with without_collections():
            from lenet.sweeps.sweep import run_sweep

        return DONE if run_sweep(command, plans) else FAILED
    for key, does in (("resume", "continues a sweep"), ("register", "registers the best run of a sweep")):
        if getattr(plans[0].sweep, key) is not None:
            raise UserError(f"sweep.{key} {does}: add -m, and the values that it sweeps over.")
    from lenet.running.experiment import execute

    execute(plans[0], command.jobs[0].overrides)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
