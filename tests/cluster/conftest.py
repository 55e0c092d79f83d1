"""Clusters and servers, started on this machine for the tests and ended after them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.cluster.helpers import (
    await_port,
    end,
    free_port,
    node,
)
from tests.conftest import environment


@pytest.fixture(scope="module")
def ray_head(tmp_path_factory):
    """Return the address of a Ray cluster of one node."""
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # a short name: it has sockets in it
    secret = pytest.MonkeyPatch()
    secret.setenv("RAY_AUTH_MODE", "token")
    secret.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
    port = free_port()
    ports = f"--port={port}", f"--ray-client-server-port={free_port()}", "--include-dashboard=false"
    head = node(tmp_path_factory.mktemp("head"), "--head", *ports, f"--temp-dir={folder}")
    try:
        await_port(port, head)
        yield f"127.0.0.1:{port}"
    finally:
        end(head)
        shutil.rmtree(folder, ignore_errors=True)
        secret.undo()


@pytest.fixture
def ray_cluster(ray_head, tmp_path_factory):
    """Return the address of a Ray cluster of two nodes, and the process of the second."""
    second = node(tmp_path_factory.mktemp("second"), f"--address={ray_head}")
    command = [sys.executable, "-m", "ray.scripts.scripts", "status", f"--address={ray_head}"]
    try:
        deadline = time.monotonic() + 60
        while "/2.0 CPU" not in subprocess.run(command, capture_output=True, text=True, check=False).stdout:
            assert time.monotonic() < deadline, "the second node has not joined"
            assert second.poll() is None
        yield ray_head, second
    finally:
        end(second)


@pytest.fixture
def postgres():
    """Return the address of an empty PostgreSQL database on loopback."""
    pytest.importorskip("psycopg", reason="psycopg[binary] is not installed")
    places = os.pathsep.join([os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
    server, initdb = shutil.which("postgres", path=places), shutil.which("initdb", path=places)
    if not (server and initdb):
        pytest.skip("there is no PostgreSQL server on this machine")
    user = None if os.getuid() else "postgres"  # it refuses to be run by root
    folder, port = tempfile.mkdtemp(dir="/tmp"), free_port()
    if user:
        shutil.chown(folder, user)
    options = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([initdb, "-D", f"{folder}/data", "-U", "lenet", "--auth=trust"], check=True, **options)
    settings = ["-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    process = subprocess.Popen([server, "-D", f"{folder}/data", "-p", str(port), *settings], **options)
    try:
        await_port(port, process)
        yield f"postgresql+psycopg://lenet@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def mlflow_server(request, tmp_path_factory):
    """Return the address of an MLflow server with its own database and artifacts, and the artifacts' folder."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    database = f"sqlite:///{folder}/server.db" if request.param == "sqlite" else request.getfixturevalue("postgres")
    command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
    command += [f"--backend-store-uri={database}", f"--artifacts-destination={folder}/artifacts"]
    without_more = {**environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=without_more, stdout=log, stderr=log)
    try:
        await_port(port, process)
        yield f"http://127.0.0.1:{port}", folder / "artifacts"
    finally:
        end(process)
