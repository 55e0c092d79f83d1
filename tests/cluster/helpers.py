"""What the tests on clusters and servers share."""

import contextlib
import socket
import subprocess
import sys
import time
from importlib.util import find_spec

import psutil
import pytest

from tests.conftest import SMALL, environment

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="lenet[ray] is not installed")
needs_submitit = pytest.mark.skipif(find_spec("submitit") is None, reason="lenet[slurm] is not installed")
ONE_EPOCH = ("trainer.epochs=1", "trainer.figures=none")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def metrics(run):
    return {key: value for key, value in run.data.metrics.items() if key != "samples_per_second"}


def await_port(port, process, seconds=90):
    deadline = time.monotonic() + seconds
    while True:
        assert process.poll() is None, "the server has ended"
        assert time.monotonic() < deadline, "the server does not answer"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.2)


def end(process):
    """End a process and all below it."""
    below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    for one in below:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.kill()
    process.wait()


def node(folder, *arguments):
    """Start a node of a Ray cluster with one core, working in `folder`."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
    return subprocess.Popen([*command, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def on_ray(address):
    return "hydra/launcher=ray", f"hydra.launcher.ray.init.address={address}"


def sweep(*arguments):
    """Run a sweep in a process of its own, as a user does; return its exit code and what it said."""
    command = [sys.executable, "-m", "lenet.run", *SMALL, *arguments, "-m"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False, timeout=240)
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr
