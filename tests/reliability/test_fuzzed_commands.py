"""The nastiest input, given to the whole command: exit code 2 and one message, or 0 where it is valid."""

import gzip
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lenet.run import main
from tests.conftest import SMALL
from tests.reliability.conftest import Report
from tests.reliability.fuzzing.checkpoints import CheckpointFile
from tests.reliability.fuzzing.command_lines import laughs
from tests.reliability.fuzzing.idx_files import idx
from tests.reliability.fuzzing.image_files import picture
from tests.reliability.fuzzing.npz_files import NpzData, bomb, entries_of, zip_of

REFUSED = [
    ["seed=range(1000000000)", "-m"],
    ["seed=range(0,1e300,1e-300)", "-m"],
    ["optimizer.lr=" + ",".join(map(str, range(1, 200))), "seed=" + ",".join(map(str, range(200))), "-m"],
    ["seed=" + "[" * 600 + "]" * 600],
    ["+x=" + "{a:" * 400 + "1" + "}" * 400],
    ["seed=" + "9" * 5000],
    ["a" * 100_000 + "=1"],
    ["optimizer._target_=" + "a." * 3000],
    ["optimizer._target_="],
    ["optimizer._target_=os.getcwd"],
    ["network.layers=" + "[{_target_:lenet.layers.ReLU}," * 50 + "]"],
    ["network.layers=[null]"],
    ["optimizer.lr=${optimizer.lr}"],
    ["seed=${oc.env:NO_SUCH_VARIABLE}"],
    ["seed=${" * 100],
    ["seed=\x1b]0;owned\x07"],
    ["seed=\udcff\udcfe"],
    ["seed='\n\n\nTraceback (most recent call last):\n'"],
    ["hydra.sweeper=null", "-m"],
    ["hydra.mode=sideways"],
    ["hydra.sweep.dir=${nothing}", "seed=1,2", "-m"],
    ["--no-such-option"],
    ["--config-dir"],
    ["--config-dir", "yaml", "experiment=laughs"],
    ["--config-dir", "yaml", "experiment=itself"],
    ["--config-dir", "yaml", "experiment=broken"],
    ["--config-dir", "yaml", "experiment=object"],
    ["--config-dir", "yaml", "experiment=deep"],
    ["data=npz", "data.images=bzip2.npz"],
    ["data=npz", "data.images=cut.npz"],
    ["data=npz", "data.images=checkpoint.npz"],
    ["data=npz", "data.images=huge.npz"],
    ["data=npz", "data.images=objects.npz"],
    ["data=npz", "data.images=/dev/zero"],
    ["data=npz", "data.images=" + "a" * 5000],
    ["data=idx", "data.root=claims"],
    ["data=idx", "data.root=swapped"],
    ["data=idx", "data.root=bomb"],
    ["data=image_folder", "data.root=images"],
    ["data=image_folder", "data.root=table", "data.labels=labels.csv"],
    ["tracking.uri=sqlite:///\x00"],
    ["tracking.uri=http://[::1"],
]
VALID = [[*SMALL], [*SMALL, "seed='7'", "optimizer.lr=1e-30"], [*SMALL, "tracking.experiment='日本\u202e $(x) %s'"]]


def prepare(place: Path) -> None:
    """Write the files that the command lines name."""
    yaml = place / "yaml/experiment"
    yaml.mkdir(parents=True)
    (yaml / "laughs.yaml").write_text(laughs(30))
    (yaml / "itself.yaml").write_text("# @package _global_\nsweep: &a {keys: [*a]}\n")
    (yaml / "broken.yaml").write_text("# @package _global_\nseed: [1\n\t- '\0")
    (yaml / "object.yaml").write_text("# @package _global_\nseed: !!python/object/apply:os.getcwd []\n")
    (yaml / "deep.yaml").write_text("# @package _global_\nseed: " + "[" * 3000)
    data = NpzData(place).seeds[0]
    (place / "bzip2.npz").write_bytes(bomb(entries_of(data)))
    (place / "cut.npz").write_bytes(data[:-10])
    (place / "checkpoint.npz").write_bytes(CheckpointFile(place).seeds[0])
    header = entries_of(data)[0][1].replace(b"(12, 4, 5), }      ", b"(999999, 999999), }")
    (place / "huge.npz").write_bytes(zip_of([("images.npy", header), *entries_of(data)[1:]], zipfile.ZIP_DEFLATED))
    np.savez(place / "objects.npz", images=np.array([{}], dtype=object), labels=np.arange(1))
    images, labels = idx(np.zeros((12, 4, 5))), idx(np.arange(12) % 3)
    claims = images[:4] + b"\xff\xff\xff\xff\0\0\x10\0\0\0\x10\0"
    zeros = gzip.compress(bytes(64 << 20))
    for name, pictures, classes in (
        ("claims", claims, labels),
        ("swapped", labels, images),
        ("bomb", gzip.compress(claims) + zeros, labels),
    ):
        (place / name).mkdir()
        for part in ("train", "t10k"):
            (place / name / f"{part}-images-idx3-ubyte").write_bytes(pictures)
            (place / name / f"{part}-labels-idx1-ubyte").write_bytes(classes)
    for name in ("a", "b"):
        (place / "images" / name).mkdir(parents=True)
        (place / "images" / name / "0.png").write_bytes(picture("PNG", "RGB")[:-20])
    (place / "table").mkdir()
    (place / "table/labels.csv").write_bytes(b'file,label\n"\0\x1b[2J' + b"a" * 200_000 + b"\n")


def is_one_message(said: str) -> bool:
    """Say whether this is one message that a person can use, and nothing else."""
    return (
        len(re.findall("^lenet: ", said, re.MULTILINE)) == 1
        and said.startswith("lenet: ")
        and said.replace("\n", "").isprintable()
        and len(said) < 4000
        and not re.search(r'^Traceback|^  File "', said, re.MULTILINE)
    )


@pytest.mark.slow
def test_the_nastiest_input_ends_in_one_message_or_in_a_run(workplace, records, capfd, report: Report):
    prepare(workplace)
    before = set(workplace.iterdir())
    told = {tuple(arguments): (main(arguments), capfd.readouterr().err) for arguments in REFUSED}
    wrong = {words: what for words, what in told.items() if what[0] != 2 or not is_one_message(what[1])}
    assert not wrong
    assert not records()
    assert set(workplace.iterdir()) == before
    for arguments in VALID:
        assert main(arguments) == 0, (arguments, capfd.readouterr().err)
        assert not capfd.readouterr().err.strip()
    report(
        "Loaded",
        "the nastiest input, given to `python -m lenet.run`",
        len(REFUSED) + len(VALID),
        f"{len(REFUSED)} refused: exit code 2, one message, no run, no file; {len(VALID)} valid: exit code 0",
    )
