"""What the launchers for clusters do with jobs, told with jobs that are not there."""

import pytest

from lenet.configuration import extras
from lenet.run import main
from lenet.sweeps.clusters.launcher import gather, in_short
from lenet.sweeps.jobs import Outcome
from lenet.sweeps.worker import Lost
from tests.conftest import SMALL


class Pretended:
    """Jobs that end at the look at which they are said to."""

    def __init__(self, ends, deaf=0):
        self.ends, self.deaf, self.looks, self.stops, self.killed = ends, deaf, 0, 0, False

    def look(self):
        self.looks += 1
        return self.ends.pop(self.looks, {})

    def stop(self):
        self.stops += 1
        if self.stops > self.deaf:
            self.ends = {self.looks + 1: {0: Lost("was asked to stop")}}

    def kill(self):
        self.killed = True


def test_a_job_that_is_lost_takes_no_other_along():
    heard = []
    jobs = Pretended({1: {1: Lost("gone")}, 3: {0: Outcome({"a": 1.0}), 2: Outcome()}})
    results = gather(jobs, 3, lambda number, _: heard.append(number), lambda: None)
    assert results == {1: Lost("gone"), 0: Outcome({"a": 1.0}), 2: Outcome()}
    assert heard == [1, 0, 2]
    assert not jobs.stops


def test_an_interruption_asks_the_jobs_to_stop_until_they_do(monkeypatch):
    monkeypatch.setattr("lenet.sweeps.clusters.launcher.AGAIN_SECONDS", 0.0)
    jobs = Pretended({}, deaf=2)

    def check():
        if jobs.looks == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gather(jobs, 1, lambda *_: None, check)
    assert jobs.stops == 3
    assert jobs.killed, "nothing may be left"


def test_jobs_that_do_not_stop_are_killed(monkeypatch):
    monkeypatch.setattr("lenet.sweeps.clusters.launcher.STOP_SECONDS", 0.0)
    jobs = Pretended({}, deaf=1000)

    def check():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gather(jobs, 1, lambda *_: None, check)
    assert jobs.killed


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (
            RuntimeError("It failed:\nTraceback (most recent call last):\n  File\nOSError: full\n"),
            "OSError: full",
        ),
        ("no error", "no error"),
    ],
)
def test_errors_are_told_in_one_line(error, text):
    assert in_short(error) == text


@pytest.mark.parametrize(
    ("launcher", "extra"), [("ray", "ray"), ("submitit_local", "slurm"), ("submitit_slurm", "slurm")]
)
def test_without_its_extra_a_launcher_says_what_to_install_before_anything_is_done(
    launcher, extra, workplace, records, monkeypatch, capsys
):
    monkeypatch.setattr(extras, "is_installed", lambda plugin: False)
    assert main([*SMALL, "seed=0,1", "-m", f"hydra/launcher={launcher}"]) == 2
    output = capsys.readouterr()
    assert f"`pip install -e '.[{extra}]'` in lenet's folder" in output.err
    assert output.err.count("\n") == 1
    assert not records()
    assert not (workplace / "mlruns").exists()
