"""What the tests of the data share: a machine with no data of its own, and IDX files in the making."""

import gzip
import http.server
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lenet.data.sources.mnist import PublishedSource
from tests.data.toy import Serve, WriteSet, published_from

WriteIdx = Callable[..., Path]


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test an empty cache, no system folder and no `$LENET_DATA`; return a folder for its files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("lenet.data.files.SYSTEM_ROOT", tmp_path / "system")
    monkeypatch.delenv("LENET_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


def idx_bytes(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


@pytest.fixture
def write_idx() -> WriteIdx:
    """Return a function that writes an array as an IDX file, packed if its name ends in .gz."""

    def write(path: Path, values: object) -> Path:
        content = idx_bytes(np.asarray(values))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
        return path

    return write


@pytest.fixture
def write_idx_set(write_idx: WriteIdx) -> Callable[..., Path]:
    """Return a function that writes four IDX files of toy digits into a folder."""

    def write(folder: Path, labels: tuple[int, ...] = (3, 7), side: int = 4, suffix: str = "", seed: int = 0) -> Path:
        generator = np.random.default_rng(seed)
        for part, count in (("train", 6), ("t10k", 4)):
            images = generator.integers(0, 256, (count, side, side + 1))
            write_idx(folder / f"{part}-images-idx3-ubyte{suffix}", images)
            write_idx(folder / f"{part}-labels-idx1-ubyte{suffix}", np.resize(labels, count))
        return folder

    return write


@pytest.fixture
def toy(bare_machine: Path, write_idx_set: WriteSet) -> type[PublishedSource]:
    """Return a published data set of ten toy images, whose only copy is at no root that is searched."""
    return published_from(write_idx_set(bare_machine / "origin", labels=(0, 1), suffix=".gz"), raw=True)


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
