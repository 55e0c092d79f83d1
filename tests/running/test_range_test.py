"""A learning-rate range test, through the command: what it records, how it ends, and the sweep it proposes."""

import re
import shlex

import numpy as np
import pytest

from lenet.checkpoint import load
from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.run import main
from lenet.running.range_test import sweep_command
from lenet.running.session import open_session
from lenet.running.workbench import Workbench
from lenet.training.trainer import Trainer
from tests.conftest import SMALL, artifacts
from tests.running.test_run import files, histories

TEST = (*SMALL[:3], "experiment=lr_range_test", "trainer.epochs=20", "trainer.batch_size=16", "schedule.high=100")
"""120 steps on `digits.npz`, 17 for each decade of the rate."""


@pytest.fixture(autouse=True)
def doubtful_labels(workplace):
    """Make every fourth label wrong: digits that can be learnt to the last would leave no gradient to explode."""
    arrays = dict(np.load("digits.npz"))
    arrays["labels"][::4] = (arrays["labels"][::4] + 1) % 3
    np.savez("digits.npz", **arrays)


def test_a_range_test_records_every_step_and_ends_where_the_loss_explodes(workplace, records, capsys):
    assert main(TEST) == 0
    (run,) = records()
    said = capsys.readouterr().out
    assert run.info.status == "FINISHED"
    assert run.data.tags["diverged"] == "true"
    assert "the loss exploded at a rate of" in said
    assert "figures/lr_range.png" in files(run)
    points = histories(workplace, run)
    steps, rates = [p.step for p in points["step/lr"]], [p.value for p in points["step/lr"]]
    assert steps == [p.step for p in points["step/loss"]] == list(range(1, len(steps) + 1))
    assert 60 < len(steps) < 120
    assert rates == pytest.approx(1e-5 * 1e7 ** (np.arange(len(steps)) / 119))
    assert [p.step for p in points["train/loss"]] == list(range(1, -(-len(steps) // 6) + 1))
    last = [p.value for p in points["step/loss"]][len(steps) // 6 * 6 :]  # the steps that the last epoch had
    if last:
        assert points["train/loss"][-1].value == pytest.approx(np.mean(last))
    assert load(artifacts(run) / "checkpoints/last.npz").meta["step"] == len(steps) // 6 * 6
    assert np.isfinite(run.data.metrics["test/loss"])


@pytest.mark.slow
def test_the_command_that_is_proposed_runs_as_a_sweep_over_the_range(workplace, records, capsys):
    assert main([*TEST, "trainer.figures=none"]) == 0
    (run,) = records()
    assert not any(name.startswith("figures/") for name in files(run))
    said, tags = capsys.readouterr().out, run.data.tags
    command = tags["lr_range_command"]
    assert command in said.splitlines()
    long = [line for line in said.splitlines() if len(line) > 80 and not line.startswith(("epoch", "http"))]
    assert long == [command]
    assert tags["lr_range"] == f"{tags['lr_range_low']} to {tags['lr_range_high']}"
    assert float(tags["lr_range_low"]) < float(tags["lr_range_start"]) < float(tags["lr_range_high"])
    assert main(shlex.split(command)[3:]) == 0
    children = [r for r in records() if "mlflow.parentRunId" in r.data.tags]
    rates = sorted(float(r.data.params["optimizer.lr"]) for r in children)
    assert (rates[0], rates[-1]) == (float(tags["lr_range_low"]), float(tags["lr_range_high"]))
    assert {r.data.params["schedule._target_"] for r in children} == {"lenet.schedules.Constant"}
    assert {r.data.params["trainer.batch_size"] for r in children} == {"16"}
    assert {r.data.params["trainer.epochs"] for r in children} == {"20"}
    assert max(r.data.metrics["test/accuracy"] for r in children) > 0.6


@pytest.mark.slow
def test_range_tests_can_be_the_jobs_of_a_sweep(workplace, records):
    assert main([*TEST, "optimizer=sgd,momentum", "trainer.figures=none", "-m"]) == 0
    jobs = [r for r in records() if "mlflow.parentRunId" in r.data.tags]
    assert {r.data.params["optimizer._target_"].rpartition(".")[2] for r in jobs} == {"SGD", "Momentum"}
    assert all("lr_range" in r.data.tags for r in jobs)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("trainer.epochs=1", "6 steps.*show too little"),
        ("schedule.high=1e-4", "had not risen again at the highest rate"),
    ],
)
def test_without_an_answer_it_says_so_and_what_to_try(extra, says, workplace, records, capsys):
    assert main([*TEST, extra]) == 0
    (run,) = records()
    assert re.search(rf"^none: .*{says}", run.data.tags["lr_range"])
    assert "lr_range_command" not in run.data.tags
    assert "no range of rates to propose" in capsys.readouterr().out
    assert (artifacts(run) / "figures/lr_range.png").stat().st_size > 10_000


def test_only_a_range_test_records_steps_and_that_changes_no_bit(workplace):
    schedule = ["schedule.high=0.5", "backend.threads=1"]
    plan = build(compose_config([*TEST, *schedule]))
    losses, weights = [], []

    def note(step, rate, loss):
        losses.append(loss)
        return False

    for after_step in (None, note):
        with open_session(plan, Workbench()) as session:
            trainer = Trainer(
                engine=session.engine,
                optimizer=build(compose_config([*TEST, *schedule])).optimizer,
                schedule=plan.schedule,
                sampler=plan.trainer.sampler,
                epochs=20,
                seed=0,
                validate=lambda epoch: {},
            )
            records = list(trainer.train(lambda progress: None, after_step))
            weights.append(session.network.theta.copy())
    assert len(losses) == 120
    assert np.mean(losses[-6:]) == pytest.approx(records[-1]["train/loss"])
    np.testing.assert_array_equal(*weights)


@pytest.mark.parametrize(
    ("overrides", "kept"),
    [
        (["experiment=lr_range_test"], ""),
        (["experiment=lr_range_test", "optimizer=sgd", "seed=1"], "optimizer=sgd seed=1 "),
        (["experiment=lr_range_test", "schedule.low=1e-6", "trainer.epochs=9", "optimizer.lr=1"], ""),
        (["schedule=range_test", "data=npz", "data.images=my digits.npz"], "data=npz 'data.images=my digits.npz' "),
        (["experiment=mine", "optimizer.lr=1"], "experiment=mine schedule=constant "),
    ],
)
def test_the_command_keeps_what_is_not_the_tests_own(overrides, kept):
    assert sweep_command(overrides, [0.003, 0.01]) == f"python -m lenet.run {kept}optimizer.lr=0.003,0.01 -m"
