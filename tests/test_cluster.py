"""Sweeps on clusters and servers, each for real on this machine where its extra is installed."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from lenet.run import main
from tests.conftest import SMALL, artifacts, environment, family, sweeping
from tests.test_survival import await_end, pid_of

pytestmark = pytest.mark.cluster

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


def on_ray(address):
    return "hydra/launcher=ray", f"hydra.launcher.ray.init.address={address}"


def sweep(*arguments):
    """Run a sweep in a process of its own, as a user does; return its exit code and what it said."""
    command = [sys.executable, "-m", "lenet.run", *SMALL, *arguments, "-m"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False, timeout=240)
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


@needs_ray
def test_a_sweep_on_two_nodes_of_ray_gives_what_it_gives_here(ray_cluster, workplace, records):
    address, _ = ray_cluster
    arguments = "optimizer.lr=0.0001,0.02", "trainer.figures=none"
    code, output, errors = sweep(*arguments, *on_ray(address))
    assert (code, errors) == (0, "")
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3
    assert parent.data.tags["best_run"] == children[1].info.run_id
    assert "best by validation accuracy: lr=0.02" in output
    drawn = sorted(path.name for path in (artifacts(parent) / "figures").iterdir())
    assert drawn == ["curves_val_accuracy.png", "curves_val_loss.png", "sweep.png"]
    assert main([*SMALL, *arguments, "-m"]) == 0
    again = [run for run in records() if run.data.tags["lenet.kind"] == "job"]
    for child in children:
        twin = next(run for run in again if run.info.run_name == child.info.run_name)
        assert metrics(twin) == metrics(child)
        assert twin.data.params == child.data.params
    assert sorted(path.name for path in workplace.iterdir()) == ["digits.npz", "mlflow.db", "mlruns"]


@needs_ray
def test_a_job_has_as_many_threads_as_ray_gives_it_cores(ray_head, workplace, records):
    process = sweeping(workplace, records, "seed=0", *on_ray(ray_head), at_work=1)
    _, [child] = family(records())
    assert not psutil.Process(pid_of(child)).children()
    process.terminate()
    assert process.wait(60) == 130


@needs_ray
def test_a_worker_of_ray_that_is_killed_is_lost_with_the_reason_and_the_others_go_on(ray_head, workplace, records):
    extra = "trainer.epochs=300", "seed=0,1,2", "trainer.figures=none"
    process = sweeping(workplace, records, *extra, *on_ray(ray_head), at_work=1)
    victim = next(run for run in records() if run.data.metrics.get("train/loss"))
    os.kill(pid_of(victim), signal.SIGKILL)
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 1, errors
    assert "Traceback" not in output + errors
    parent, children = family(records())
    assert parent.info.status == "FAILED"
    lost = next(child for child in children if child.info.run_id == victim.info.run_id)
    assert lost.info.status == "FAILED"
    assert "WorkerCrashedError" in lost.data.tags["lenet.error"]
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED", "FINISHED"]


@needs_ray
def test_the_jobs_of_a_node_that_dies_are_lost_and_the_others_go_on(ray_cluster, workplace, records):
    address, second = ray_cluster
    extra = "trainer.epochs=700", "seed=0,1", "trainer.figures=none"
    process = sweeping(workplace, records, *extra, *on_ray(address))
    below = psutil.Process(second.pid).children(recursive=True)
    pids = {one.pid for one in below}
    for one in (psutil.Process(second.pid), *below):
        one.kill()
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 1, errors
    assert "Traceback" not in output + errors
    _, children = family(records())
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED"]
    lost = next(child for child in children if child.info.status == "FAILED")
    assert pid_of(lost) in pids
    assert "NodeDiedError" in lost.data.tags["lenet.error"]


@needs_ray
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_on_ray_closes_its_runs_as_killed(number, ray_head, workplace, records):
    process = sweeping(workplace, records, "seed=0,1", *on_ray(ray_head), at_work=1)
    process.send_signal(number)
    output, errors = process.communicate(timeout=90)
    assert process.returncode == 130, errors
    assert "Traceback" not in output + errors
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["KILLED", "KILLED"]
    assert (artifacts(children[0]) / "checkpoints/last.npz").exists()
    await_end([pid_of(children[0])])


@needs_ray
def test_an_address_where_no_ray_answers_is_refused_before_anything_is_done(workplace, records):
    code, _, errors = sweep("seed=0,1", *on_ray(f"127.0.0.1:{free_port()}"))
    assert code == 2
    assert "where no Ray cluster answers" in errors
    assert not records()


@needs_submitit
def test_a_sweep_with_submitit_gives_what_it_gives_here(workplace, records):
    arguments = "optimizer.lr=0.0001,0.02", "trainer.figures=none"
    code, output, errors = sweep(*arguments, "hydra/launcher=submitit_local")
    assert (code, errors) == (0, "")
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3
    assert "best by validation accuracy: lr=0.02" in output
    assert main([*SMALL, *arguments, "-m"]) == 0
    for child in children:
        assert metrics(child) in [metrics(r) for r in records() if r.info.run_id != child.info.run_id]
    assert sorted(path.name for path in workplace.iterdir()) == ["digits.npz", "mlflow.db", "mlruns"]


@needs_submitit
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_with_submitit_closes_its_runs_as_killed(number, workplace, records):
    process = sweeping(workplace, records, "seed=0,1", "hydra/launcher=submitit_local", process_group=0)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as Ctrl-C at the terminal does
    else:
        process.send_signal(number)
    output, errors = process.communicate(timeout=90)
    assert process.returncode == 130, errors
    assert "Traceback" not in output + errors
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["KILLED"] * 3
    assert all((artifacts(child) / "checkpoints/last.npz").exists() for child in children)
    await_end(map(pid_of, children))


@needs_submitit
def test_a_job_of_submitit_that_is_killed_is_lost_with_the_reason_and_the_others_go_on(workplace, records):
    extra = "trainer.epochs=300", "seed=0,1", "trainer.figures=none"
    process = sweeping(workplace, records, *extra, "hydra/launcher=submitit_local")
    victim, *_ = records()
    victim = next(run for run in records() if run.data.metrics.get("train/loss"))
    os.kill(pid_of(victim), signal.SIGKILL)
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 1, errors
    assert "Traceback" not in output + errors
    _, children = family(records())
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED"]
    lost = next(child for child in children if child.info.status == "FAILED")
    assert lost.info.run_id == victim.info.run_id
    assert "ended without a result" in lost.data.tags["lenet.error"]


@pytest.fixture
def pretended_slurm(tmp_path_factory, monkeypatch):
    """Put stand-ins for Slurm's commands on the path: they run a script's jobs here, at once, and keep the script."""
    folder = tmp_path_factory.mktemp("slurm")
    scripts = {
        "srun": 'while [[ $1 == --* ]]; do [[ $1 == --output || $1 == --error ]] && shift; shift; done; exec "$@"',
        "sbatch": f"""cp "$1" {folder}/submitted.sh
            export SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1
            export SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0
            for task in 0 1; do SLURM_ARRAY_TASK_ID=$task bash "$1" > {folder}/$task.log 2>&1 & done
            echo Submitted batch job 7""",
        "sacct": "echo 'JobID|State|NodeList'; for task in 0 1; do echo \"7_$task|RUNNING|here\"; done",
        "scancel": "exit 0",
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@needs_submitit
def test_slurm_is_given_an_array_of_jobs_with_what_was_asked_for(pretended_slurm, workplace, records):
    asked = "hydra.launcher.partition=small", "hydra.launcher.timeout_min=30", "hydra.launcher.mem_gb=2"
    more = "hydra.launcher.setup=['export SET_UP=1']", "+hydra.launcher.additional_parameters.mail-type=END"
    code, _, errors = sweep("seed=0,1", *ONE_EPOCH, "hydra/launcher=submitit_slurm", *asked, *more)
    assert code == 0, errors
    script = (pretended_slurm / "submitted.sh").read_text()
    for line in ("array=0-1%2", "cpus-per-task=1", "mem=2GB", "partition=small", "time=30", "mail-type=END"):
        assert f"#SBATCH --{line}\n" in script
    assert "export SET_UP=1" in script
    parent, children = family(records())
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3


@needs_submitit
def test_without_slurm_s_commands_it_is_refused_before_anything_is_done(workplace, records, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(workplace))
    assert main([*SMALL, "seed=0,1", "-m", "hydra/launcher=submitit_slurm"]) == 2
    assert "lacks sbatch, srun, scancel, sacct" in capsys.readouterr().err
    assert not records()


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


def test_a_server_gets_everything_of_a_sweep_and_answers_comparisons(mlflow_server, workplace, capsys):
    from mlflow import MlflowClient

    from lenet.compare import main as compare

    uri, folder = mlflow_server
    assert main([*SMALL, f"tracking.uri={uri}", "optimizer.lr=0.0001,0.02", "-m"]) == 0
    client = MlflowClient(uri)
    parent, children = family(client.search_runs([client.get_experiment_by_name("lenet").experiment_id]))
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    stored = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    def of(run):
        home = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
        return {name.removeprefix(f"{home}/") for name in stored if name.startswith(home)}

    for child in children:
        assert {"checkpoints/last.npz", "checkpoints/best.npz", "figures/curves.png", "config/config.yaml"} <= of(child)
        assert {"log.txt", "environment.json", "config/overrides.yaml", "figures/mistakes.png"} <= of(child)
    assert {"sweep/results.csv", "sweep/best.json", "figures/sweep.png", "figures/curves_val_loss.png"} <= of(parent)
    assert not (workplace / "mlruns/1").exists()
    capsys.readouterr()
    assert compare(["last", f"tracking.uri={uri}"]) == 0
    assert "lr=0.02" in capsys.readouterr().out


@needs_ray
def test_jobs_on_ray_record_where_the_environment_of_the_sweep_says(ray_head, postgres, workplace, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgres)
    code, _, errors = sweep("seed=0,1", *ONE_EPOCH, *on_ray(ray_head))
    assert code == 0, errors
    client = MlflowClient(postgres)
    parent, children = family(client.search_runs([client.get_experiment_by_name("lenet").experiment_id]))
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3
