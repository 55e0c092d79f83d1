"""Runs side by side: found by what a user calls them, told apart by what differs, in order."""

import csv
import io
import json
import re
import sqlite3
import subprocess
import sys

import pytest

from lenet.compare import main
from lenet.tracking import record as record_module
from lenet.tracking.address import tracking_uri
from lenet.tracking.store import Store

PARAMS = {"optimizer.lr": "0.1", "seed": "0", "trainer.epochs": "3"}


@pytest.fixture
def recorded(workplace):
    """Two sweeps and a run of its own; return their ids by name."""
    store = Store(tracking_uri(), "lenet")
    ids = {}

    def run(name, parent=None, kind="run", tags=None, status="FINISHED", params=None, **metrics):
        new = store.start_run(name, kind=kind, params=PARAMS | (params or {}), parent=parent, tags=tags)
        new.log_metrics({key.replace("__", "/"): value for key, value in metrics.items()}, 1)
        new.close(status)
        ids[name] = new.id
        return new.id

    def sweep(name, *rates):
        parent = store.start_run(name, kind="sweep")
        children = [
            run(f"lr={rate}", parent.id, "job", params={"optimizer.lr": rate}, best__val_accuracy=best, test__loss=loss)
            for rate, best, loss in rates
        ]
        parent.set_tag("best_run", children[0])
        parent.close("FINISHED")
        ids[name] = parent.id

    sweep("first", ("0.3", 0.9, 0.4), ("0.2", 0.8, 0.3))
    run("alone", params={"network.activation": "tanh"}, best__val_accuracy=0.85, test__loss=0.1)
    sweep("second", ("0.02", 0.7, 0.9), ("0.01", 0.95, 0.8), ("5", float("nan"), float("inf")))
    return ids


def rows(capsys, *arguments):
    assert main([*arguments, "--format", "csv"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def names(capsys, *arguments):
    return [row["run"] for row in rows(capsys, *arguments)]


def test_a_sweep_is_its_runs_the_best_first_and_those_without_a_value_last(recorded, capsys):
    assert names(capsys, "second") == ["lr=0.01", "lr=0.02", "lr=5"]
    assert names(capsys, "second", "--metric", "test/loss") == ["lr=0.01", "lr=0.02", "lr=5"]
    assert names(capsys, "first", "--metric", "test/loss") == ["lr=0.2", "lr=0.3"]


def test_last_is_what_was_started_last_and_a_sweep_counts_as_one(recorded, capsys):
    assert names(capsys, "last") == ["lr=0.01", "lr=0.02", "lr=5"]


def test_runs_sweeps_and_the_best_of_one_are_compared_together_each_once(recorded, capsys):
    found = names(capsys, "best:first", "alone", recorded["lr=0.2"][:12], "lr=0.2")
    assert found == ["lr=0.3", "alone", "lr=0.2"]


def test_without_a_run_the_whole_experiment_is_compared_without_its_sweeps_own_runs(recorded, capsys):
    assert len(names(capsys)) == 6
    assert names(capsys, "lenet") == names(capsys)
    assert names(capsys, "--filter", "metrics.`best/val_accuracy` > 0.8") == ["lr=0.01", "lr=0.3", "alone"]


def test_only_parameters_that_differ_are_told(recorded, capsys):
    assert list(rows(capsys, "first")[0])[:2] == ["run", "optimizer.lr"]
    (alone, other) = rows(capsys, "alone", "lr=0.2")
    assert {key for key in alone if key in ("optimizer.lr", "network.activation", "seed")} == {
        "optimizer.lr",
        "network.activation",
    }
    assert other["network.activation"] == ""


def test_the_tables_are_short_and_the_files_are_complete(recorded, capsys):
    assert main(["second"]) == 0
    table = capsys.readouterr().out
    assert max(map(len, table.splitlines())) <= 80
    assert table.splitlines()[0].split() == ["run", "best", "val", "test", "loss", "id"]
    assert recorded["lr=0.01"][:8] in table
    assert main(["second", "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("| run ")
    assert main(["second", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [row["run_id"] for row in found] == [recorded[f"lr={rate}"] for rate in ("0.01", "0.02", "5")]
    assert found[0]["best/val_accuracy"] == 0.95
    assert found[2]["best/val_accuracy"] == "nan"
    assert found[2]["test/loss"] == "inf"


def test_a_parameter_that_the_names_do_not_tell_has_a_column(recorded, capsys):
    assert main(["alone", "lr=0.2"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:3] == ["run", "activation", "lr"]


def test_bars_in_values_open_no_cells_in_markdown(workplace, capsys):
    store = Store(tracking_uri(), "lenet")
    for number in range(2):
        run = store.start_run("a|b", params={"c": f"e|{number}"})
        run.log_metrics({"test/loss": number}, 1)
        run.close("FINISHED")
    assert main(["--metric", "test/loss", "--format", "markdown"]) == 0
    heading, _, first, second = capsys.readouterr().out.splitlines()
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in (heading, first, second)] == [5] * 3
    assert first.startswith(r"| a\|b  | e\|0 | ")
    assert main(["--metric", "test/loss"]) == 0
    assert "a|b    e|0 " in capsys.readouterr().out


def test_a_name_with_both_kinds_of_quotes_is_found(recorded, capsys):
    name = """it's "so" """.strip()
    run = Store(tracking_uri(), "lenet").start_run(name)
    run.log_metrics({"best/val_accuracy": 0.5}, 1)
    run.close("FINISHED")
    assert names(capsys, name) == [name]


def test_a_figure_is_drawn_and_never_over_a_file_that_is_there(recorded, workplace, capsys):
    assert main(["second", "--plot", "figure.png"]) == 0
    drawn = (workplace / "figure.png").read_bytes()
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) > 5000
    assert main(["first", "--plot", "figure.png"]) == 2
    assert "is not overwritten" in capsys.readouterr().err
    assert (workplace / "figure.png").read_bytes() == drawn


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["alon"], r"there is no run `alon`.*Did you mean `alone`\?.*Accepted: a run's id"),
        (['it\'s "so"'], "there is no run `it's"),
        (["best:alone"], "`alone` .* is not a sweep"),
        (["best:nothing"], "there is no run `nothing`"),
        (["alone", "--metric", "test/los"], r"no run has `test/los`. Did you mean `test/loss`\?"),
        (["--filter", "so what"], r"--filter: `so what` is no filter: .*Accepted: MLflow's"),
        (["--filter", "params.seed = '77'"], "there is no run in lenet with this filter"),
        (["alone", "--filter", "params.seed = '0'"], "--filter picks among the runs of an experiment"),
        (["tracking.experiment=lenett"], r"there is no experiment `lenett`. Did you mean `lenet`\?"),
        (["tracking.url=sqlite:///mlflow.db"], r"unknown key `tracking.url`. Did you mean `tracking.uri`\?"),
        (["tracking.uri=sqlite:///other.db"], "there is no store at .*other.db"),
        (["tracking.uri=ftp://host"], "unknown scheme `ftp`"),
        (["alone", "tracking.experiment=lenet"], "name it, or runs, not both"),
        (
            ["--filter", "attributes.start_time > " + "9" * 30],
            r"--filter: `attributes.start_time > 9+` is no filter: .*larg|there is no run in lenet with this filter",
        ),
        (
            ["--filter", "attributes.start_time > " + "9" * 5000],
            r"`.{,50}…9{50}` is no filter: .*digits|no run in lenet with this filter",
        ),
        (["--filter", "metrics.`test/loss` > 1e999999"], "there is no run in lenet with this filter"),
        (["--metrc", "test/loss"], r"unknown option `--metrc`. Did you mean `--metric`\? Accepted: --help, --metric, "),
        (["--form", "csv"], r"unknown option `--form`. Did you mean `--format`\?"),
        (
            ["--format", "tabel"],
            r"--format: `tabel` is not an option. Did you mean `table`\? Accepted: table, markdown",
        ),
        (["alone", "--metric"], "--metric: expected one argument"),
        (["alone", "--plot", f"{'x' * 300}.png"], "cannot be a file here"),
        (["alone", "--plot", "figure.gif"], "does not end in .png"),
        (["alone", "--plot", "digits.npz/figure.png"], "cannot be written"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_message(recorded, workplace, capsys, arguments, said):
    before = sorted(path.name for path in workplace.iterdir())
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("lenet: ")
    assert re.search(said, error)
    assert sorted(path.name for path in workplace.iterdir()) == before


def test_a_beginning_that_several_ids_have_is_refused_with_their_names(workplace, capsys):
    store = Store(tracking_uri(), "lenet")
    ids = [store.start_run(f"run {number}").id for number in range(17)]  # two begin with the same of 16 digits
    beginning = next(digit for digit in "0123456789abcdef" if sum(id.startswith(digit) for id in ids) > 1)
    assert main([beginning]) == 2
    error = capsys.readouterr().err
    assert f"`{beginning}` is more than one run: " in error
    assert error.count("(run ") == min(5, sum(id.startswith(beginning) for id in ids))


def test_a_deleted_run_is_not_seen(recorded, capsys):
    from mlflow import MlflowClient

    MlflowClient(tracking_uri()).delete_run(recorded["alone"])
    assert main(["alone"]) == 2
    assert "alone" not in names(capsys)
    MlflowClient(tracking_uri()).delete_run(recorded["lr=0.3"])
    assert main(["best:first"]) == 2
    assert f"the best run of `first`, {recorded['lr=0.3']}, has been deleted" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["nothing", "another program's table"])
def test_a_file_that_is_no_store_is_not_made_one(tmp_path, monkeypatch, capsys, content):
    monkeypatch.chdir(tmp_path)
    connection = sqlite3.connect("other.db")
    if content != "nothing":
        connection.execute("create table theirs (id)")
        connection.commit()
    connection.close()
    before = (tmp_path / "other.db").read_bytes()
    assert main(["tracking.uri=sqlite:///other.db"]) == 2
    assert "is not an MLflow store" in capsys.readouterr().err
    assert (tmp_path / "other.db").read_bytes() == before


def test_a_name_that_is_the_beginning_of_an_id_is_refused_as_more_than_one_run(recorded, capsys):
    store = Store(tracking_uri(), "lenet")
    beginning = recorded["alone"][:6]
    named = store.start_run(beginning)
    assert main([beginning]) == 2
    error = capsys.readouterr().err
    assert "is more than one run" in error
    assert named.id in error
    assert recorded["alone"] in error


def test_last_is_found_behind_any_number_of_jobs(recorded, capsys, monkeypatch):
    monkeypatch.setattr(record_module, "PAGE", 2)
    assert names(capsys, "last") == ["lr=0.01", "lr=0.02", "lr=5"]


def test_parameters_that_are_called_like_something_else_are_kept_apart(workplace, capsys):
    store = Store(tracking_uri(), "lenet")
    for number in range(2):
        run = store.start_run(f"run {number}", params={"status": f"s{number}", "test/loss": f"p{number}"})
        run.log_metrics({"test/loss": number}, 1)
        run.close("FINISHED")
    found = rows(capsys, "--metric", "test/loss")
    assert [row["status"] for row in found] == ["FINISHED"] * 2
    assert [row["params.status"] for row in found] == ["s0", "s1"]
    assert [(row["params.test/loss"], float(row["test/loss"])) for row in found] == [("p0", 0), ("p1", 1)]
    assert main(["--metric", "test/loss"]) == 0
    assert "s0" in capsys.readouterr().out
    assert main(["--metric", "test/loss", "--plot", "figure.png"]) == 0


def test_names_that_look_like_formulas_are_drawn_as_they_are(workplace, capsys):
    store = Store(tracking_uri(), "lenet")
    for number in range(2):
        run = store.start_run("$\\frac$", params={"a": f"$\\bad{number}$"})
        run.log_metrics({"test/loss": number}, 1)
        run.close("FINISHED")
    assert main(["--metric", "test/loss", "--plot", "figure.png"]) == 0
    assert (workplace / "figure.png").exists()


@pytest.mark.slow
def test_a_reader_that_has_gone_is_no_error_and_a_full_disk_is_one(recorded, workplace):
    command = f"{sys.executable} -m lenet.compare lenet"
    for rest, code in (("| true; exit ${PIPESTATUS[0]}", 0), ("> /dev/full", 1)):
        done = subprocess.run(["bash", "-c", f"{command} {rest}"], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
