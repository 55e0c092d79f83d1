"""A user's own `conf/` and `experiments/` stand beside the installed ones, and go before them."""

import pytest

from lenet.configuration.config import compose_config, read
from lenet.errors import UserError
from lenet.run import main
from tests.conftest import SMALL


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Make a folder with both, and work in it."""
    for path, text in {
        "conf/optimizer/mine.yaml": "_target_: lenet.optimizers.SGD\nlr: 0.5\n",
        "experiments/mine.yaml": "defaults:\n  - override /optimizer: mine\nseed: 7\n",
        "experiments/best.yaml": "seed: 8\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def composed(*arguments):
    return read(arguments).jobs[0].config


def test_both_folders_are_found_and_ours_stay(own):
    config = composed("--config-dir", ".", "experiment=mine")
    assert (config["seed"], config["optimizer"]) == (7, {"_target_": "lenet.optimizers.SGD", "lr": 0.5})
    assert composed("--config-dir", ".", "experiment=fastest", "optimizer=mine")["trainer"]["epochs"] == 2


def test_a_file_of_the_user_s_own_goes_before_ours_and_for_that_command_alone(own):
    assert composed("--config-dir", ".", "experiment=best") == {**compose_config(), "seed": 8}
    assert compose_config(["experiment=best"])["trainer"]["epochs"] == 15
    with pytest.raises(UserError, match=r"`experiment=mine` is not an option"):
        read(["experiment=mine"])


def test_one_of_the_folders_is_enough(own):
    assert composed("--config-dir", "conf", "optimizer=mine")["optimizer"]["lr"] == 0.5
    (own / "conf/optimizer/mine.yaml").unlink()
    (own / "conf/optimizer").rmdir()
    (own / "conf").rmdir()
    assert composed("--config-dir", str(own), "experiment=best")["seed"] == 8


def test_the_help_lists_them(own, capsys):
    with pytest.raises(SystemExit):
        main(["--config-dir", ".", "--help"])
    told = capsys.readouterr().out
    assert "lr_range_test, mine, report" in told
    assert "optimizer: adam, adamw, diagonal_lm, mine, momentum" in told


@pytest.mark.slow
def test_a_sweep_knows_them_and_so_does_the_command_that_runs_its_best_again(own, workplace, records, capsys):
    given = [*SMALL, "trainer.figures=none", "trainer.epochs=1", "--config-dir=.", "experiment=mine", "seed=1,2", "-m"]
    assert main([*given, "hydra/launcher=basic"]) == 0
    best = capsys.readouterr().out.split("again:\n")[1].splitlines()[0]
    assert "--config-dir=. " in best
    assert {run.data.params["optimizer.lr"] for run in records() if "optimizer.lr" in run.data.params} == {"0.5"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", r"experiments/broken\.yaml: cannot be read as YAML"),
        ("- a\n", r"experiments/broken\.yaml: holds a list"),
        ("5\n", r"experiments/broken\.yaml"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(text, said, own):
    (own / "experiments/broken.yaml").write_text(text)
    with pytest.raises(UserError, match=said):
        read(["--config-dir", "."])


@pytest.mark.parametrize("group", ["network", "hydra/launcher"])
@pytest.mark.parametrize("entry", ["/{}: other", "override {}: other", "{}: other"])
def test_an_experiment_that_chooses_an_option_in_another_way_is_told_how(entry, group, own):
    (own / "conf" / group).mkdir(parents=True)
    (own / "conf" / group / "other.yaml").write_text("a: 1\n")
    (own / "experiments/mine.yaml").write_text(f"defaults:\n  - {entry.format(group)}\n")
    with pytest.raises(UserError) as info:
        composed("--config-dir", ".", "experiment=mine")
    assert str(info.value) == (
        f"`{group}` is not chosen like that in a defaults list; accepted: `override /{group}: OPTION` "
        "(asked for: experiment=mine)"
    )
