"""Published data sets: found by name anywhere under the roots, recognised by digest, else downloaded."""

import gzip
import hashlib
import http.server
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lenet.data import FashionMnist, Kmnist, Mnist
from lenet.data.files import find_parts
from lenet.data.idx import read_idx
from lenet.data.missing import search_report
from lenet.data.published import FASHION_MNIST, PARTS, OtherContent, Published
from lenet.data.sources import mnist
from lenet.data.sources.mnist import PublishedSource
from lenet.errors import UserError

WriteSet = Callable[..., Path]
Serve = Callable[..., str]


@pytest.fixture
def toy(bare_machine: Path, write_idx_set: WriteSet) -> type[PublishedSource]:
    """Return a published data set of ten toy images, whose only copy is at no root that is searched."""
    return published_from(write_idx_set(bare_machine / "origin", labels=(0, 1), suffix=".gz"), raw=True)


def published_from(folder: Path, *, raw: bool) -> type[PublishedSource]:
    packed = [Path(folder, f"{part.file_name}.gz").read_bytes() for part in PARTS]

    class Toy(PublishedSource):
        published = Published(
            name="toy",
            classes=("nought", "one"),
            mirrors=("http://127.0.0.1:9/",),
            md5=tuple(hashlib.md5(content).hexdigest() for content in packed),
            sha256=tuple(hashlib.sha256(gzip.decompress(content)).hexdigest() for content in packed) if raw else None,
        )

    return Toy


def unpack(folder: Path, target: Path) -> Path:
    target.mkdir(parents=True)
    for file in folder.glob("*.gz"):
        (target / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    return target


@pytest.fixture
def serve(toy: type[PublishedSource], bare_machine: Path) -> Iterator[Serve]:
    """Return a function that starts a mirror of the toy data with a fault, if any, and gives its address."""
    servers: list[http.server.ThreadingHTTPServer] = []
    released = threading.Event()

    def start(fault: str = "", requests: list[str] | None = None) -> str:
        class Mirror(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if requests is not None:
                    requests.append(self.path)
                content = (bare_machine / "origin" / Path(self.path).name).read_bytes()
                if fault == "digest":
                    content = gzip.compress(gzip.decompress(content)[:-1] + b"?")
                self.send_response(503 if fault == "down" else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[:20] if fault in ("truncated", "stall") else content)
                if fault == "stall":
                    self.wfile.flush()
                    released.wait(20)

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"http://127.0.0.1:{server.server_port}/data"

    yield start
    released.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def cached_files(bare_machine: Path) -> set[str]:
    return {file.name for file in (bare_machine / "cache").rglob("*") if file.is_file()}


# Finding


@pytest.mark.parametrize("packed", [True, False])
def test_files_are_found_at_any_depth_under_the_root(
    toy: type[PublishedSource], bare_machine: Path, packed: bool
) -> None:
    folder = bare_machine / "origin" if packed else unpack(bare_machine / "origin", bare_machine / "root" / "a" / "b")
    data = toy(root=bare_machine / ("." if packed else "root")).load(seed=0)
    assert (data.name, data.classes) == ("toy", ("nought", "one"))
    assert data.train_images.shape == (6, 1, 4, 5)
    assert data.test_labels.tolist() == [0, 1, 0, 1]
    assert data.source == str(folder)


def test_linked_folders_are_searched_once_even_in_a_circle(toy: type[PublishedSource], bare_machine: Path) -> None:
    (bare_machine / "root").mkdir()
    (bare_machine / "root" / "linked").symlink_to(bare_machine / "origin")
    (bare_machine / "origin" / "back").symlink_to(bare_machine / "root")
    assert toy(root=bare_machine / "root").load(seed=0).source == str(bare_machine / "root" / "linked")
    assert [len(paths) for paths in find_parts([bare_machine / "root", bare_machine]).values()] == [1] * 4


def test_the_first_of_several_copies_is_taken_by_root_then_by_name(
    toy: type[PublishedSource], bare_machine: Path
) -> None:
    folders = [unpack(bare_machine / "origin", bare_machine / name) for name in ("2/b", "2/a", "2/c", "1/d")]
    found = find_parts([bare_machine / "2", bare_machine / "1"])
    assert [path.parent for path in found[PARTS[0]]] == [folders[1], folders[0], folders[2], folders[3]]


def test_images_of_another_data_set_are_not_read_once_labels_have_told_it_apart(
    toy: type[PublishedSource], bare_machine: Path, write_idx_set: WriteSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx_set(bare_machine / "root" / "a", labels=(1, 0))
    unpack(bare_machine / "origin", bare_machine / "root" / "b")
    read: list[str] = []
    monkeypatch.setattr(mnist, "read_idx", lambda path, kind: read.append(path.parent.name) or read_idx(path, kind))
    toy(root=bare_machine / "root").load(seed=0)
    assert read == ["a", "b", "b", "b", "b"]


def test_a_repacked_file_is_recognised_by_its_content(toy: type[PublishedSource], bare_machine: Path) -> None:
    for file in (bare_machine / "origin").glob("*.gz"):
        file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), compresslevel=1, mtime=1))
    assert len(toy(root=bare_machine).load(seed=0).train_labels) == 6


def test_another_data_set_of_the_same_names_is_passed_over(
    toy: type[PublishedSource], bare_machine: Path, write_idx_set: WriteSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx_set(bare_machine / "data" / "a-lookalike", seed=1)
    unpack(bare_machine / "origin", bare_machine / "data" / "b-real")
    monkeypatch.setenv("LENET_DATA", str(bare_machine / "data"))
    assert toy().load(seed=0).source == str(bare_machine / "data" / "b-real")


@pytest.mark.parametrize("root", ["system/toy", "system/elsewhere", "cache/lenet/toy"])
def test_the_systems_folder_and_the_cache_are_searched(
    toy: type[PublishedSource], bare_machine: Path, root: str
) -> None:
    unpack(bare_machine / "origin", bare_machine / root)
    assert toy().load(seed=0).source == str(bare_machine / root)


def test_with_a_root_nothing_else_is_searched_or_downloaded(
    toy: type[PublishedSource], bare_machine: Path, serve: Serve
) -> None:
    unpack(bare_machine / "origin", bare_machine / "system" / "toy")
    (bare_machine / "empty").mkdir()
    requests: list[str] = []
    with pytest.raises(UserError, match=r"plain or .gz,\n(.*\n)*  train-images-idx3-ubyte\nunder") as error:
        toy(root=bare_machine / "empty", mirrors=[serve(requests=requests)]).load(seed=0)
    assert f"{bare_machine / 'empty'} (data.root)" in str(error.value)
    assert not requests


def test_a_wrong_digest_under_a_root_names_file_expected_and_found(
    toy: type[PublishedSource], bare_machine: Path, write_idx_set: WriteSet
) -> None:
    root = unpack(bare_machine / "origin", bare_machine / "root")
    file = root / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError) as error:
        toy(root=root).load(seed=0)
    found, expected = hashlib.sha256(file.read_bytes()).hexdigest(), toy.published.sha256[3]
    assert f"{file}: not toy's: found SHA-256 (unpacked) {found}; accepted: {expected}." in str(error.value)


def test_a_damaged_file_under_a_root_is_named(toy: type[PublishedSource], bare_machine: Path) -> None:
    file = bare_machine / "origin" / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte.gz: damaged or truncated gzip"):
        toy(root=bare_machine).load(seed=0)


def test_without_known_content_only_the_published_gz_files_are_accepted(
    bare_machine: Path, write_idx_set: WriteSet
) -> None:
    origin = write_idx_set(bare_machine / "origin", labels=(0, 1), suffix=".gz")
    toy = published_from(origin, raw=False)
    assert len(toy(root=origin).load(seed=0).train_labels) == 6
    with pytest.raises(UserError, match=r"not the .gz file that was published"):
        toy(root=unpack(origin, bare_machine / "plain")).load(seed=0)
    both = unpack(origin, bare_machine / "both")
    for file in origin.iterdir():
        file.rename(both / file.name)
    assert len(toy(root=both).load(seed=0).train_labels) == 6


def test_a_root_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root=.*nowhere: no such folder"):
        Mnist(root=tmp_path / "nowhere").load(seed=0)


# Downloading


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


# The real ones


@pytest.mark.full_mnist
def test_full_mnist_is_found_and_verified() -> None:
    root = os.environ.get("LENET_DATA")
    if not root:
        pytest.skip("$LENET_DATA is not set")
    try:
        data = Mnist(root=root).load(seed=0)
    except UserError as error:
        pytest.skip(f"$LENET_DATA has no MNIST: {error}")
    assert data.train_images.shape == (60_000, 1, 28, 28)
    assert data.test_images.shape == (10_000, 1, 28, 28)
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_fashion_mnist_is_found_where_debian_installs_it() -> None:
    root = Path("/usr/share/datasets")
    if not (root / "fashion-mnist").is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    data = FashionMnist(root=root).load(seed=0)
    assert data.train_images.shape == (60_000, 1, 28, 28)
    assert data.classes[data.train_labels[0]] == "Ankle boot"
    with pytest.raises(UserError, match="which is fashion_mnist's"):
        Mnist(root=root).load(seed=0)


def test_every_published_set_has_ten_classes_and_a_digest_for_each_file() -> None:
    for source in (Mnist, FashionMnist, Kmnist):
        published = source.published
        assert len(set(published.classes)) == 10
        assert [len(md5) for md5 in published.md5] == [32] * 4
        assert published.sha256 is None or [len(sha) for sha in published.sha256] == [64] * 4
    assert FASHION_MNIST.classes[9] == "Ankle boot"
