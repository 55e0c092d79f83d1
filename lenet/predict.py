"""`python -m lenet.predict RUN IMAGE…`: says what image files show, by a network that a run has trained."""

import glob
import io
import os
import re
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from lenet.command_line.arguments import Parser
from lenet.command_line.command import DONE, FAILED, run_command, write_error, write_out
from lenet.common.tables import cut
from lenet.errors import UserError, did_you_mean, printable
from lenet.recorded.choosing import open_finder

DESCRIPTION = """\
Label image files (PNG, JPEG, GIF, BMP, TIFF) with the network that a run has
trained, in a table, as CSV or as JSON. A file that cannot be read is reported,
and the rest is done; the exit code is 1 then."""

EPILOG = """\
RUN is a run's id or the beginning of one, a run's name, `last`, or
`best:SWEEP`. IMAGE is a file, a folder, a pattern in quotes
('digits/**/*.png'), or - for an image on standard input.
Key: tracking.uri=ADDRESS, where the run is recorded.

For a network that was trained on images like MNIST's, images of any size and
colour, dark on light or light on dark, are made as MNIST was: grey, cropped, in
a box of 20×20, centred by mass in 28×28. For others they are resized."""

URI = "tracking.uri="
KEY = re.compile(r"(\w+(?:\.\w+)+)=", re.ASCII)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _main(given))


def _main(arguments: Sequence[str]) -> int:
    parser = Parser("python -m lenet.predict", DESCRIPTION, EPILOG)
    parser.add_argument("words", nargs="*", metavar="RUN|IMAGE|key=value", help="which run, and what to label")
    parser.add_choice("--format", ("table", "csv", "json"), default="table", help="how to print it (%(default)s)")
    parser.add_argument("--raw", action="store_true", help="take images as they are, of the network's own size")
    parser.add_choice("--checkpoint", ("best", "last"), help="whose weights (best, where there is one)")
    parser.add_allow()
    options = parser.read(arguments)
    uri = next((word.removeprefix(URI) for word in reversed(options.words) if word.startswith(URI)), None)
    run, *images = [word for word in options.words if not word.startswith(URI)] or [""]
    if not images:
        raise UserError("a run and at least one image are needed. Accepted: RUN IMAGE …; `last` is the last run.")
    for word in images:
        _check_no_key(word)
    finder = open_finder(uri)
    from lenet.data.drawings import way_for
    from lenet.data.gathering import gather
    from lenet.inference.prediction import counted, label, render, way_in_words
    from lenet.inference.trained import Trained, checkpoint_of
    from lenet.recorded.stored import read_stored

    stored = read_stored(finder, finder.single(run), uri)
    which, saved = checkpoint_of(stored, options.checkpoint)
    trained = Trained(saved, options.allow)
    way = "raw" if options.raw else way_for(trained.framing)
    epoch = f"{which} checkpoint, epoch {trained.description.epoch}"
    write_error(f"{cut(stored.record.name, 40)} ({epoch}):\n{way_in_words(way, trained)}\n")
    if stored.record.diverged:
        write_error("This run diverged, and its network may know nothing.\n")
    if trained.loss.about_probabilities:
        write_error(f"Note: {trained.loss.about_probabilities}.\n")
    counts: dict[str, int] = {}
    found = counted(gather(images, getattr(sys.stdin, "buffer", io.BytesIO())), counts)
    outcomes = list(label(trained, found, way))
    faults = [str(outcome) for _, outcome in outcomes if isinstance(outcome, UserError)]
    labelled = {name for name, outcome in outcomes if not isinstance(outcome, UserError)}
    write_out(render(outcomes, options.format))
    for name, count in counts.items():
        if name in labelled and count > 1:
            write_error(f"{printable(name)}: the first of {count} frames was labelled\n")
    for fault in faults:
        write_error(f"lenet: {fault}\n")
    return FAILED if faults else DONE


def _check_no_key(word: str) -> None:
    """Raise `UserError` for a word that is a key rather than an image: it looks like one, and there is no such file."""
    key = KEY.match(word)
    if key and not os.path.lexists(word) and not glob.glob(word):
        accepted = URI.removesuffix("=")
        raise UserError(f"unknown key `{key[1]}`.{did_you_mean(key[1], [accepted])} Accepted: {accepted}, and images.")


class _Callable(ModuleType):
    """This module, which is also what `from lenet import predict` gives once it has been imported."""

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        from lenet.library import predict

        return predict(*arguments, **keywords)


sys.modules[__name__].__class__ = _Callable

if __name__ == "__main__":
    sys.exit(main())
