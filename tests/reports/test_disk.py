"""What runs take on disk is told to the byte, for a sweep with what its parent holds, and nothing is removed."""

import csv
import io
import json

import pytest
from mlflow import MlflowClient

from lenet.disk import main
from lenet.reports.usage import SIZES, readable, render
from lenet.tracking import artifacts
from lenet.tracking.address import tracking_uri
from lenet.tracking.store import Store


@pytest.fixture
def stored(workplace):
    """A sweep of two jobs and a run, with artifacts of known lengths; return their ids by name."""
    store = Store(tracking_uri(), "lenet")
    ids = {}

    def run(name, parent=None, kind="job", **lengths):
        new = store.start_run(name, kind=kind, parent=parent)
        for path, length in lengths.items():
            new.log_bytes(b"x" * length, path.replace("__", "/"))
        ids[name] = new.id
        return new

    parent = run("sweep lr=0.1,0.2", kind="sweep", figures__sweep=40, sweep__results=2)
    run("lr=0.1", parent.id, checkpoints__last=1000, checkpoints__best=500, figures__curves=30, log=7).close("FINISHED")
    run("lr=0.2", parent.id, checkpoints__last=2000, config__config=3).close("FAILED")
    parent.close("FINISHED")
    run("alone", kind="run", log=1).close("FINISHED")
    return ids


def rows(capsys, *arguments):
    assert main([*arguments, "--format", "csv"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def sizes(row):
    return [int(row[key] or 0) for key in ("checkpoints", "figures", "other", "total")]


@pytest.mark.parametrize("through_mlflow", [False, True])
def test_a_sweep_is_its_runs_the_largest_first_and_its_own_artifacts(stored, capsys, monkeypatch, through_mlflow):
    if through_mlflow:  # as it is where the artifacts lie on a server
        monkeypatch.setattr(artifacts, "local_folder", lambda uri: None)
    found = rows(capsys, "sweep lr=0.1,0.2")
    assert [(row["run"], row["kind"]) for row in found[:4]] == [
        ("lr=0.2", "run"),
        ("lr=0.1", "run"),
        ("sweep lr=0.1,0.2", "sweep"),
        ("3 runs", "sum"),
    ]
    assert [sizes(row) for row in found[:4]] == [
        [2000, 0, 3, 2003],
        [1500, 30, 7, 1537],
        [0, 40, 2, 42],
        [3500, 70, 12, 3582],
    ]
    assert found[0]["run_id"] == stored["lr=0.2"]


def test_the_database_is_told_with_what_sqlite_keeps_beside_it(stored, workplace, capsys):
    (workplace / "mlflow.db-wal").write_bytes(b"")
    before = (workplace / "mlflow.db").stat().st_size
    database = rows(capsys, "last")[-1]
    assert (database["kind"], database["run"]) == ("database", str(workplace / "mlflow.db"))
    assert int(database["total"]) >= before
    assert int(database["total"]) == sum(path.stat().st_size for path in workplace.glob("mlflow.db*"))


def test_without_a_run_everything_of_the_experiment_is_counted(stored, workplace, capsys):
    total = next(row for row in rows(capsys) if row["kind"] == "sum")
    on_disk = [path.stat().st_size for path in (workplace / "mlruns").rglob("*") if path.is_file()]
    assert int(total["total"]) == sum(on_disk) == 3583


def test_deleted_runs_are_told_in_one_line_with_the_command_that_frees_their_space(stored, workplace, capsys):
    assert not any(row["kind"] == "deleted" for row in rows(capsys))
    assert main([]) == 0
    assert "mlflow gc" not in capsys.readouterr().out
    client = MlflowClient(tracking_uri())
    client.delete_run(stored["lr=0.1"])
    other = Store(tracking_uri(), "other")
    other.start_run("of a deleted experiment").log_bytes(b"x" * 10, "log.txt")
    client.delete_experiment(other.experiment_id)
    (deleted,) = [row for row in rows(capsys) if row["kind"] == "deleted"]
    assert sizes(deleted) == [1500, 30, 17, 1547]
    assert main([]) == 0
    address = f"sqlite:///{workplace}/mlflow.db"
    assert capsys.readouterr().out.endswith(
        "\n1.55 kB more are held by 2 deleted runs of this store, until removed:\n"
        f"mlflow gc --backend-store-uri {address} --tracking-uri {address}\n"
    )


def test_nothing_is_changed(stored, workplace, capsys):
    before = {path: path.stat().st_mtime_ns for path in workplace.rglob("*") if path.is_file()}
    assert main([]) == 0
    assert {path: path.stat().st_mtime_ns for path in workplace.rglob("*") if path.is_file()} == before


def test_artifacts_that_are_not_where_the_store_says_are_not_taken_for_nothing(stored, workplace, capsys):
    (workplace / "mlruns").rename(workplace / "moved")
    assert rows(capsys, "alone")[0]["total"] == ""
    assert main(["alone"]) == 0
    assert "Without a folder of artifacts on this machine: 1 of these runs." in capsys.readouterr().out


def test_tables_are_readable_and_json_is_exact(stored, capsys):
    assert main(["last", "lr=0.1"]) == 0
    table = capsys.readouterr().out
    assert max(map(len, table.partition("\n\n")[0].splitlines())) <= 80
    assert "1.54 kB" in table
    assert main(["--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("| run ")
    assert main(["lr=0.1", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found[0]["checkpoints"], found[-1]["checkpoints"]) == (1500, None)


def test_names_can_be_told_apart_in_a_terminal_and_are_whole_in_markdown():
    names = [
        f"optimizer=momentum,lr={rate},weight_decay=0.0005,seed={seed}" for rate in ("0.01", "0.02") for seed in "01"
    ]
    told = [("optimizer=momentum", "sweep"), *((name, "run") for name in names), ("5 runs", "sum")]
    found = [{"run": name, "kind": kind, **dict.fromkeys(SIZES, 1), "run_id": name} for name, kind in told]
    table = render(found, "table", "sqlite:///mlflow.db").splitlines()
    assert max(map(len, table)) <= 80
    assert len({line[:26] for line in table[2:]}) == len(told)
    assert " (own) " in table[2]
    assert table[-1].startswith("sum ")
    assert all(name in render(found, "markdown", "sqlite:///mlflow.db") for name in names)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (12_345, "12.3 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (2_500_000_000, "2.50 GB"),
        (1_234_000_000_000, "1234 GB"),
        (None, "–"),
    ],
)
def test_sizes_have_three_digits_and_a_unit(count, text):
    assert readable(count) == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["alon"], "there is no run `alon`"),
        (["--formt", "csv"], "unknown option `--formt`. Did you mean `--format`?"),
        (["--format", "xml"], "--format: `xml` is not an option. Accepted: table"),
        (["tracking.uri=sqlite:///other.db"], "there is no store at"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_message(stored, capsys, arguments, said):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
