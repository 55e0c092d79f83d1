"""Jobs composed together are those that are composed one by one."""

import itertools

import pytest

from lenet.configuration import config
from lenet.configuration.build import build
from lenet.configuration.composition import compose_all, compose_one
from lenet.errors import UserError

CHOICES = [
    ["optimizer=sgd", "optimizer=nesterov"],
    ["optimizer.lr=0.005", "optimizer.lr=1e-6"],
    ["+optimizer.foo=null", "~optimizer.weight_decay", "++optimizer.foo=[1,2]"],
    ["trainer.batch_size=${trainer.epochs}", "trainer.early_stopping=null", "trainer.checkpoint_every=10s"],
    ["tracking.experiment='a,b'", 'tracking.experiment="x=1"', "data.validation=report"],
    ["experiment=report_regime", "network.activation=tanh", "hydra.verbose=true"],
]


@pytest.mark.slow
def test_every_combination_comes_to_what_hydra_composes_alone():
    jobs = list(itertools.product(*CHOICES))
    with config.composing(None) as loader:
        together = compose_all(jobs, loader)
        for job, composed in list(zip(jobs, together, strict=True))[::19]:
            assert composed == compose_one(job, loader), job
    assert len({str(composed) for composed in together}) > 50


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("optimizer.learning=0.1", "optimizer.learning"),
        ("optimizer=sdg", "Did you mean `sgd`"),
        ("optimizer.lr.x=1", r"optimizer\.lr"),
        ("data.images=???", "data.images"),
    ],
)
def test_what_is_wrong_with_one_job_is_said_as_it_is_alone(wrong, said):
    with config.composing(None) as loader:
        with pytest.raises(UserError, match=said) as together:
            compose_all([["data=npz", "data.images=x", "seed=1"], ["data=npz", "data.images=x", wrong]], loader)
        with pytest.raises(UserError) as alone:
            compose_one(["data=npz", "data.images=x", wrong], loader)
    assert str(together.value) == str(alone.value)


def laughing(levels: int) -> str:
    """Return YAML of one list in another, ten times, and so on: ten to the power of `levels` words."""
    lines = ["x0: &x0 [ha]"]
    return "\n".join(lines + [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, levels + 1)])


@pytest.mark.parametrize("levels", [9, 5000])
def test_a_file_whose_aliases_stand_for_more_than_memory_holds_is_refused(levels, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text(laughing(levels))
    with pytest.raises(UserError, match=r"mine\.yaml: with its aliases, it stands for more than 10,000 values"):
        config.read(["--config-dir", str(tmp_path), "experiment=mine"])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "'': sgd",
            r"(a defaults list has an entry that Hydra cannot read|Missing group name).*asked for: experiment=mine",
        ),
        ("${seed}", r"\$\{seed\}.*asked for: experiment=mine"),
    ],
)
def test_a_wrong_entry_of_a_defaults_list_is_told_with_what_was_asked_for(entry, message, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text(f"# @package _global_\ndefaults:\n- {entry}\n")
    with pytest.raises(UserError, match=message):
        config.read(["--config-dir", str(tmp_path), "experiment=mine"])


def test_aliases_that_stand_for_little_are_welcome(tmp_path):
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\nseed: &same 7\ntrainer: {epochs: *same}\n"
    (tmp_path / "experiment/mine.yaml").write_text(text)
    composed = config.read(["--config-dir", str(tmp_path), "experiment=mine"]).jobs[0].config
    assert (composed["seed"], composed["trainer"]["epochs"]) == (7, 7)


@pytest.mark.parametrize("node", [-1, "lenet5", [1]])
def test_a_part_that_is_no_mapping_is_said(node):
    with pytest.raises(UserError, match=r"`network` is .*; it needs a mapping of keys to values"):
        build({**config.compose_config(), "network": node})


def test_what_an_experiment_sweeps_over_is_left_out_of_a_single_run():
    alone, swept = config.read(["experiment=sweep_lr"]), config.read(["experiment=sweep_lr", "-m"])
    assert (alone.is_sweep, len(alone.jobs)) == (False, 1)
    assert alone.jobs[0].config["seed"] == 0
    assert (swept.is_sweep, len(swept.jobs)) == (True, 3 * 8 * 3)


def test_one_number_can_follow_from_another():
    swept = config.read(["experiment=sweep_batch_size", "trainer.batch_size=32,128", "seed=0", "-m"])
    assert [job.config["optimizer"]["lr"] for job in swept.jobs] == [0.005, 0.02]


def test_a_factor_that_is_no_number_is_named():
    with pytest.raises(UserError, match=r"times"):
        config.read(["optimizer.lr=${times:a,2}"])
