"""What the store holds, listed: by experiment, the newest first, sweeps folded."""

import csv
import io
import json
import re
import shutil
from datetime import datetime

import pytest

from lenet.reports.listing import duration, render
from lenet.runs import main
from lenet.tracking.address import tracking_uri
from lenet.tracking.store import Store
from tests.terminals import on_terminal


@pytest.fixture(scope="module")
def stored(tmp_path_factory, migrated):
    """Return the address of a store with a sweep, one that goes on, and runs of two experiments, and ids by name.

    A run that goes on has not delivered its metrics yet.
    """
    folder = tmp_path_factory.mktemp("stored")
    shutil.copy(migrated, folder / "mlflow.db")
    uri = tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    store = Store(uri, "lenet")
    ids = {}

    def run(name, where=store, parent=None, status="FINISHED", tags=None, **metrics):
        new = where.start_run(name, kind="job" if parent else "run", parent=parent, tags=tags)
        new.log_metrics({key.replace("__", "/"): value for key, value in metrics.items()}, 1)
        if status:
            new.close(status)
        ids[name] = new.id

    def sweep(name, status, jobs):
        parent = store.start_run(name, kind="sweep")
        ids[name] = parent.id
        for job, how, best, test, tags in jobs:
            run(job, parent=parent.id, status=how, tags=tags, best__val_accuracy=best, test__accuracy=test)
        if status:
            parent.close(status)

    run("alone", best__val_accuracy=0.85, test__accuracy=0.8)
    jobs = [
        ("lr=0.3", "FINISHED", 0.9, 0.89, None),
        ("lr=0.2", "FAILED", float("nan"), 0.1, None),
        ("lr=0.1", "FINISHED", 0.7, 0.95, None),
        ("lr=0.2 before", "FINISHED", 0.99, 0.99, {"lenet.replaced_by": "x"}),
    ]
    sweep("rates", "FAILED", jobs)
    run("a run whose name is longer than any column", Store(uri, "other"), tags={"diverged": "true"})
    sweep("goes on", None, [("seed=0", "FINISHED", 0.6, 0.5, None), ("seed=1", None, 0.9, 0.9, None)])
    return f"tracking.uri={uri}", ids


def rows(capsys, uri, *arguments):
    assert main([uri, *arguments, "--format", "csv"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def names(capsys, uri, *arguments):
    return [row["name"] for row in rows(capsys, uri, *arguments)]


LONG = "a run whose name is longer than any column"


def test_all_runs_are_listed_the_newest_first_and_sweeps_are_one_row(stored, capsys):
    assert names(capsys, stored[0]) == ["goes on", LONG, "rates", "alone"]


def test_a_sweep_tells_how_many_of_its_runs_finished_and_what_the_best_reached(stored, capsys):
    going, _, rates, alone = rows(capsys, stored[0])
    assert (rates["kind"], rates["runs"], rates["finished"], rates["status"]) == ("sweep", "3", "2", "FAILED")
    assert (rates["best/val_accuracy"], rates["test/accuracy"]) == ("0.9", "0.89")
    assert (going["runs"], going["finished"], going["status"]) == ("2", "1", "RUNNING")
    assert (going["best/val_accuracy"], going["test/accuracy"]) == ("0.6", "0.5")
    assert (alone["runs"], alone["best/val_accuracy"], alone["run_id"]) == ("", "0.85", stored[1]["alone"])


def test_the_runs_of_a_sweep_follow_it_where_it_is_named_or_all_are_asked_for(stored, capsys):
    family = ["rates", "lr=0.3", "lr=0.2", "lr=0.1"]
    assert sorted(names(capsys, stored[0], "rates")) == sorted(family)
    assert names(capsys, stored[0], "rates")[0] == "rates"
    assert names(capsys, stored[0], stored[1]["rates"][:12], "alone")[-1] == "alone"
    every = names(capsys, stored[0], "--all")
    assert every.index("rates") + 4 == every.index("alone")
    assert len(every) == 9


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["other"], [LONG]),
        (["tracking.experiment=other"], [LONG]),
        (["--status", "running"], ["goes on"]),
        (["--status", "failed"], ["rates"]),
        (["--status", "diverged"], [LONG]),
        (["--status", "finished", "lenet"], ["seed=0", "lr=0.1", "lr=0.3", "alone"]),
        (["--status", "killed"], []),
        (["--filter", "metrics.`test/accuracy` > 0.85"], ["lr=0.1", "lr=0.3"]),
        (["--limit", "1"], ["goes on"]),
        (["last", "--limit", "1"], ["goes on"]),
    ],
)
def test_rows_are_picked(stored, capsys, arguments, expected):
    assert names(capsys, stored[0], *arguments) == expected


def test_the_table_fits_eighty_columns_and_tells_empty_experiments(stored, capsys):
    assert main([stored[0], "--all"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert re.findall(r"^(\w+): (.*)$", shown, re.MULTILINE) == [("lenet", "6 runs, 2 sweeps"), ("other", "1 run")]
    assert shown.endswith("\nWithout runs: unused, Default\n")
    assert re.search(
        rf"^{stored[1]['rates'][:8]}  rates +2/3  FAILED +\d\d-\d\d \d\d:\d\d  0.9000  0.8900", shown, re.M
    )
    assert f"{stored[1]['lr=0.3'][:8]}  └ lr=0.3" in shown
    assert re.search(r"  a run .*….* column +diverged ", shown)


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_name_of_several_lines_takes_one(form):
    told = listed([f"{end} run of\n\x1b\tseveral lines{'-' * 60}" for end in "ab"], "a\nsweep")
    told = [{**row, "experiment": "my\nown"} for row in told]
    shown = render(told, form, columns=80)
    heading, _, *table = shown.splitlines()
    assert heading.endswith("my\\nown: 3 runs, 1 sweep")
    assert len(table) == len(told) + 2 + (form == "table")  # where some of its headings have two lines
    assert "a\\nsweep" in shown
    assert "└ a run of\\n" in shown
    assert form == "markdown" or max(map(len, shown.splitlines())) <= 80


RATES = [f"optimizer={o},lr={r},seed={s}" for o in ("sgd", "momentum") for r in ("0.0072", "0.052") for s in (0, 1)]


def listed(jobs, sweep="sweep_lr", status="FINISHED"):
    """Return the rows of a sweep that was started this year, with its jobs, and of a run beside it."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    told = {"experiment": "lenet", "diverged": False, "started": now, "seconds": 4000.0}
    told |= {"best/val_accuracy": 0.9, "test/accuracy": 0.8}
    parent = {"run_id": "a" * 32, "name": sweep, "kind": "sweep", "runs": len(jobs), "finished": len(jobs)}
    job = {"kind": "job", "runs": None, "finished": None, "status": "FINISHED", "sweep_id": parent["run_id"]}
    alone = {**job, "run_id": "f" * 32, "name": "rare-crab-1", "kind": "run", "sweep_id": None}
    rows = [{**parent, "status": status, "sweep_id": None}, *({**job, "run_id": name, "name": name} for name in jobs)]
    return [{**told, **row} for row in (*rows, alone)]


def names_shown(text):
    return re.findall(r"└ (\S+)", text)


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_a_sweep_s_runs_can_be_told_apart_at_any_width_of_a_terminal(columns):
    shown = render(listed(RATES), "table", columns=columns)
    assert max(map(len, shown.splitlines())) <= columns
    assert len(set(names_shown(shown))) == len(RATES)
    assert all(all(value in name for value in re.findall("=([^,]+)", name)) for name in names_shown(shown))


@pytest.mark.parametrize(
    ("columns", "status", "left"),
    [
        (100, "FINISHED", ["runs", "status", "started", "best", "test", "time"]),
        (90, "FINISHED", ["runs", "started", "best", "test", "time"]),
        (94, "FAILED", ["runs", "status", "started", "best", "test"]),
        (80, "FINISHED", ["runs", "best", "test"]),
    ],
)
def test_the_columns_that_are_missed_least_make_room_for_names(columns, status, left):
    shown = render(listed(RATES, status=status), "table", columns=columns)
    assert shown.splitlines()[2].split() == ["id", "name", *left]
    assert re.search(r"└ opti\w*=momentum,lr=0.0072,seed=1 ", shown)


def test_no_column_makes_room_where_names_fit():
    shown = render(listed(["lr=0.01", "lr=0.02"]), "table", columns=80)
    assert re.findall(r"\w+", shown.splitlines()[2]) == [
        "id",
        "name",
        "runs",
        "status",
        "started",
        "best",
        "test",
        "time",
    ]
    assert names_shown(shown) == ["lr=0.01", "lr=0.02"]


@pytest.mark.parametrize("form", ["markdown", "csv", "json"])
def test_what_is_no_terminal_s_table_has_whole_names(form):
    long = [f"optimizer.decay_biases=true,schedule.warmup={'0' * 90}{end}" for end in (1, 2)]
    shown = render(listed(long), form, columns=60)
    assert all(name in shown for name in long)


def test_the_table_is_as_wide_as_the_terminal_that_it_is_written_to(stored, monkeypatch):
    shown = on_terminal(monkeypatch, "stdout", 120, lambda: main([stored[0], "other"]))
    assert LONG in shown
    shown = on_terminal(monkeypatch, "stdout", 60, lambda: main([stored[0], "--all"]))
    assert max(map(len, shown.splitlines())) <= 60


def test_markdown_and_json(stored, capsys):
    assert main([stored[0], "lenet", "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("### lenet: 1 run, 2 sweeps\n\n| id ")
    assert main([stored[0], "rates", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert {row["sweep_id"] for row in found} == {None, stored[1]["rates"]}
    assert {row["best/val_accuracy"] for row in found} == {0.9, "nan", 0.7}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", row["started"]) for row in found)


def test_nothing_is_a_list_too(stored, capsys):
    assert main([stored[0], "--status", "killed"]) == 0
    assert capsys.readouterr().out == "no runs\n"
    assert main([stored[0], "--status", "killed", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main([stored[0], "--status", "killed", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("experiment,run_id,name,")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["alon"], r"there is no run `alon` .*Did you mean `alone`\?.*Or an experiment: "),
        (["lenett"], r"Or an experiment: .*Did you mean `lenet`\?"),
        (["--status", "runing"], r"--status: `runing` is not an option. Did you mean `running`\?"),
        (["--limit", "0"], "--limit is 0; accepted are whole numbers from 1 on"),
        (["--filter", "so what"], "--filter: `so what` is no filter"),
        (["tracking.url=x"], r"unknown key `tracking.url`. Did you mean `tracking.uri`\?"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_message(stored, capsys, arguments, said):
    assert main([stored[0], *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(said, error)


def test_a_store_that_is_not_there_is_not_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main([]) == 2
    assert "there is no store at" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.04, "0.0s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (754, "12m34s"),
        (3599.6, "1h00m"),
        (11_100, "3h05m"),
        (184_000, "2d03h"),
    ],
)
def test_times_are_short(seconds, text):
    assert duration(seconds) == text
