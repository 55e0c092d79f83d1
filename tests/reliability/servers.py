"""A real MLflow server, and waiting for what it does."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient

from tests.conftest import environment


class Server:
    """`mlflow server` on a store of its own, to be killed with all its processes and started again at its port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port = taken.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.database = folder / "server.db"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.database}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**environment(), **settings},
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while True:
            assert time.monotonic() < deadline, "the server does not answer"
            with contextlib.suppress(Exception):
                MlflowClient(self.uri).search_experiments(max_results=1)
                return
            time.sleep(0.3)

    def kill(self) -> None:
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def pause(self, paused: bool) -> None:
        """Stop it in its tracks, so that it takes connections and does not answer; or have it go on."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGSTOP if paused else signal.SIGCONT)


def await_(happens: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait until `happens()`; fail, saying `what`, where that takes too long."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
