"""`python -m lenet.check [key=value …]`: the layers of a network: gradients, shapes, parameters, time, operations."""

import argparse
import math
import sys
from collections.abc import Sequence
from typing import get_args

from lenet.command_line.arguments import Parser
from lenet.command_line.command import DONE, run_command, write_out
from lenet.common.tables import Format
from lenet.errors import Failure, UserError

DESCRIPTION = """\
Check the layers of a network, one by one and together: whether their gradients
are those of finite differences, what shapes they put out, and what they cost."""
EPILOG = """\
Keys and groups are those of python -m lenet.run:
network=mine --config-dir conf. Layers are given images of the data, first as
in a run, in training and in evaluation. Gradients are taken in float64, time
on the backend of training. Exit code 0 if all is right, 1 if a layer is wrong."""
TOLERANCE = 1e-5


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    parser = Parser("python -m lenet.check", DESCRIPTION, EPILOG)
    words = parser.add_argument("overrides", nargs="*", metavar="key=value", help="which network, and which data")
    words.completer = _complete  # type: ignore[attr-defined]
    parser.add_argument("-cd", "--config-dir", metavar="FOLDER", help="a folder with groups of your own")
    parser.add_argument(
        "--tolerance",
        metavar="X",
        default=str(TOLERANCE),
        help="the largest relative error that is right (%(default)s)",
    )
    parser.add_choice("--format", get_args(Format), default="table", help="how to print it (%(default)s)")
    options = parser.read(arguments)
    tolerance = _tolerance(options.tolerance)
    from lenet.configuration.config import read

    folder = [] if options.config_dir is None else [f"--config-dir={options.config_dir}"]
    command = read([*options.overrides, *folder], sweeps=False)
    from lenet.checking.networks import check_network
    from lenet.checking.report import problems, render, rows_of
    from lenet.configuration.build import build
    from lenet.running.workbench import Workbench

    plan = build(command.jobs[0].config)
    findings = check_network(plan, Workbench().dataset(plan))
    write_out(render(rows_of(findings, tolerance), options.format))
    if wrong := problems(findings, tolerance):
        raise Failure("\n".join(wrong))
    return DONE


def _complete(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    from lenet.command_line.suggestions import overrides

    return overrides(prefix, parsed_args.overrides or (), parsed_args.config_dir)


def _tolerance(text: str) -> float:
    try:
        tolerance = float(text)
    except ValueError:
        tolerance = math.nan
    if not 0 < tolerance < 1:
        raise UserError(f"--tolerance is {text}; accepted are numbers between 0 and 1, such as 1e-5.")
    return tolerance


if __name__ == "__main__":
    sys.exit(main())
