"""Runs that are stopped wherever a test says, like by a kill that leaves nothing time to be written."""

import json

from lenet import checkpoint
from lenet.run import main
from tests.conftest import SMALL

STEPS = 6
"""Steps of an epoch of `SMALL`: 87 images in batches of 16."""


def train(*arguments):
    return main([*SMALL, "trainer.figures=none", *arguments])


def unchanged(before, after):
    return [repr(run.to_dictionary()) for run in before] == [repr(run.to_dictionary()) for run in after]  # NaN != NaN


def altered(path, change):
    saved = checkpoint.load(path)
    arrays_, meta = dict(saved.arrays), json.loads(json.dumps(dict(saved.meta)))
    change(arrays_, meta)
    del meta["format"]
    path.write_bytes(checkpoint.dumps(arrays_, meta))
