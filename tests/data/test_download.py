"""Published data that are not at hand: from the first mirror that sends them whole, or one message that says why."""

import re
import time
from pathlib import Path

import pytest

from lenet.data import Kmnist
from lenet.data.missing import search_report
from lenet.data.published import PARTS, OtherContent
from lenet.data.sources.mnist import PublishedSource
from lenet.errors import UserError
from tests.data.toy import Serve, WriteSet, cached_files


def test_what_is_missing_is_downloaded_once_into_the_cache(
    toy: type[PublishedSource], bare_machine: Path, serve: Serve
) -> None:
    requests: list[str] = []
    source = toy(mirrors=[serve(requests=requests)])
    assert len(source.load(seed=0).train_labels) == 6
    assert sorted(requests) == sorted(f"/data/{part.file_name}.gz" for part in PARTS)
    assert source.load(seed=0).source == str(bare_machine / "cache" / "lenet" / "toy")
    assert len(requests) == 4


def test_what_is_at_hand_is_loaded_and_nothing_downloaded(
    toy: type[PublishedSource], bare_machine: Path, serve: Serve
) -> None:
    requests: list[str] = []
    source = toy(mirrors=[serve(requests=requests)])
    with pytest.raises(UserError, match="did not find"):
        source.load_at_hand(seed=0)
    assert not requests
    assert source.load(seed=0).digest == source.load_at_hand(seed=0).digest


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("down", "answers 503 Service Unavailable"),
        ("digest", "sends another file than the published one"),
        ("truncated", "the connection ended early"),
        ("stall", r"stopped sending \(data.timeout\)"),
    ],
)
def test_a_bad_mirror_is_left_for_the_next_and_named_when_all_fail(
    toy: type[PublishedSource], bare_machine: Path, serve: Serve, fault: str, reason: str
) -> None:
    bad = serve(fault)
    start = time.monotonic()
    with pytest.raises(UserError, match=reason) as error:
        toy(mirrors=[bad], timeout=0.3).load(seed=0)
    assert time.monotonic() - start < 5
    assert f"  {bad}: " in str(error.value)
    assert cached_files(bare_machine) == set()
    assert not list((bare_machine / "cache" / "lenet" / "toy").iterdir())
    data = toy(mirrors=[bad, serve()], timeout=0.3).load(seed=0)
    assert len(data.train_labels) == 6
    assert cached_files(bare_machine) == {f"{part.file_name}.gz" for part in PARTS}


def test_an_endless_body_is_refused(
    toy: type[PublishedSource], bare_machine: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lenet.data.download.MAX_BYTES", 10)
    with pytest.raises(UserError, match="sends more than 10 bytes"):
        toy(mirrors=[serve()]).load(seed=0)
    assert cached_files(bare_machine) == set()


def test_without_a_network_the_error_says_what_was_looked_for_where_and_what_needs_none(
    toy: type[PublishedSource], bare_machine: Path, write_idx_set: WriteSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookalike = write_idx_set(bare_machine / "data", seed=1)
    monkeypatch.setenv("LENET_DATA", str(lookalike))
    closed = ["http://127.0.0.1:9/one/", "http://127.0.0.1:9/two/"]
    with pytest.raises(UserError) as error:
        toy(mirrors=closed).load(seed=0)
    message = str(error.value)
    assert all(part.file_name in message for part in PARTS)
    assert f"{lookalike} ($LENET_DATA)" in message
    assert f"{bare_machine / 'system'} (the system's, no such folder)" in message
    assert f"{bare_machine / 'cache' / 'lenet' / 'toy'} (the cache, no such folder)" in message
    assert message.count(f"{lookalike}: files of these names with other content") == 1
    assert all(f"  {mirror}: " in message for mirror in closed)
    assert message.count("connection refused") == 2
    assert not re.search("[0-9a-f]{32}|Connection|urllib3|object at", message)
    assert "`data=mnist_5k` needs neither files nor a network" in message


def test_what_is_told_of_downloads_that_fail_fits_a_terminal_whatever_fails(
    toy: type[PublishedSource], bare_machine: Path, serve: Serve
) -> None:
    mirrors = [serve("digest"), serve("down"), "http://nowhere.invalid/" + "long/" * 20, "http://[a" + "a" * 80]
    with pytest.raises(UserError) as error:
        toy(mirrors=mirrors, timeout=0.3).load(seed=0)
    told = str(error.value).partition("failed:\n")[2].splitlines()
    assert max(map(len, told)) <= 80
    assert told[2].startswith("  nowhere.invalid: ")


def test_of_another_data_set_of_the_same_names_its_folder_and_name_are_told_once(tmp_path: Path) -> None:
    faults = [(tmp_path / part.file_name, OtherContent("long", "mnist")) for part in PARTS]
    report = search_report("toy", PARTS, [("the cache", tmp_path)], faults, whole=False)
    assert report.endswith(f"Passed over:\n  {tmp_path}: files of mnist")
    assert search_report("toy", PARTS, [], faults, whole=True).count("long") == 4


def test_a_cache_that_cannot_be_written_is_one_error(
    toy: type[PublishedSource], bare_machine: Path, serve: Serve
) -> None:
    (bare_machine / "cache").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot be written"):
        toy(mirrors=[serve()]).load(seed=0)


@pytest.mark.parametrize("mirrors", [[], ["ftp://example.org/"], ["http://"], "http://example.org"])
def test_mirrors_are_a_list_of_web_addresses(mirrors: object) -> None:
    with pytest.raises(ValueError, match="mirrors"):
        Kmnist(mirrors=mirrors)
