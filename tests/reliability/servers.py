"""A real `mlflow server` that trials kill and start again."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.cluster.helpers import await_port, free_port
from tests.conftest import environment

STARTING = 120
"""Seconds that a server may take to start."""


class Server:
    """A server on loopback whose database and artifacts are in `folder`; it can be started again after `kill`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.database = f"sqlite:///{folder}/server.db"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={self.port}", "--workers=1"]
        command += [f"--backend-store-uri={self.database}", f"--artifacts-destination={self.folder}/artifacts"]
        settings = {**environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=settings, stdout=log, stderr=log, start_new_session=True
            )
        await_port(self.port, self._process, STARTING)

    def kill(self) -> None:
        """Kill it and all its workers at once."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self, paused: bool) -> None:
        """Stop it in its tracks, so that it takes connections and does not answer; or have it go on."""
        assert self._process
        os.killpg(self._process.pid, signal.SIGSTOP if paused else signal.SIGCONT)


def await_(happens, what: str, seconds: float = 120) -> None:
    """Wait until `happens()`; fail, naming `what`, where that takes too long."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
