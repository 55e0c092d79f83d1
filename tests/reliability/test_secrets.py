"""A password in an address reaches no output, no parameter, no tag, no artifact and no file, whatever is asked for."""

import subprocess
import sys
from urllib.parse import quote

import pytest

from tests.conftest import SMALL, environment
from tests.reliability.servers import Server

PASSWORDS = ["s3cr3t", "p@s3cr3t", "s3cr3t/x", "s3cr3t:1", "%41s3cr3t"]
WORD = "s3cr3t"
QUICK = (*SMALL, "trainer.epochs=1", "trainer.figures=none")


def told(*command, uri=None):
    """Return the exit code of a command and everything that it has written."""
    variable = {"MLFLOW_TRACKING_URI": uri} if uri else {}
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, timeout=180, env={**environment(), **variable}
    )
    return done.returncode, done.stdout + done.stderr


def files_with(folder, word):
    return [path for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


@pytest.mark.slow
def test_of_a_store_that_answers(workplace, report):
    server = Server(workplace)
    server.start()
    count = 0
    try:
        for password in PASSWORDS[1:2]:
            address = f"http://user:{quote(password, safe='')}@127.0.0.1:{server.port}"
            key = f"tracking.uri={address}"
            commands = [
                ("lenet.run", *QUICK, key),
                ("lenet.run", *QUICK, key, "seed=0,1", "-m"),
                ("lenet.run", *QUICK, key, "seed=0,1", "-m", "sweep.resume=last", "hydra/launcher=basic"),
                ("lenet.run", *QUICK, key, "experiment=lr_range_test"),
                ("lenet.resume", "last", key),
                ("lenet.resume", "last", key, "trainer.epochs=2"),
                ("lenet.compare", "lenet", key),
                ("lenet.disk", "lenet", key),
                ("lenet.runs", key),
                ("lenet.check", *QUICK, key),
                ("lenet.reproduce", "last", key),
                ("lenet.reproduce", "last", key, "--environment"),
                ("lenet.run", *QUICK, key, "--cfg", "job"),
                ("lenet.run", *QUICK, key, "data.images=nothing.npz"),
            ]
            for command in commands:
                code, output = told(*command)
                assert code in (0, 1, 2)
                assert WORD not in output, (command, output)
                assert "Traceback" not in output, (command, output)
            code, output = told("lenet.run", *QUICK, uri=address)
            assert code == 0
            assert WORD not in output
            count += len(commands) + 1
    finally:
        server.kill()
    code, output = told("lenet.run", *QUICK, key)
    assert code == 2
    assert WORD not in output
    assert files_with(workplace, WORD) == []
    where = "no output, no file of the working directory, of the store and of its artifacts has them"
    report("Loaded", "commands on a store whose address has a password", count, where)


def test_what_hydra_writes_beside_a_sweep_has_none(workplace, capsys):
    from lenet.run import main

    uri = f"sqlite:///{workplace / 'mlflow.db'}"
    assert main([*QUICK, f"tracking.uri={uri}", f"data.name='http://user:{WORD}@host'", "seed=0,1", "-m"]) == 2
    options = [f"network.address='http://user:{WORD}@host'", "seed=0,1", "-m"]
    assert main([*QUICK, f"tracking.uri={uri}", *(f"+{option}" for option in options[:1]), *options[1:]]) == 0
    assert (next((workplace / "mlruns/hydra").iterdir()) / "multirun.yaml").exists()
    assert WORD not in "".join(capsys.readouterr())
    assert files_with(workplace, WORD) == []


ADDRESSES = [
    "http://user:{}@127.0.0.1:9",
    "postgresql://user:{}@127.0.0.1:9/db",
    "mysql://user:{}@127.0.0.1:9/db",
    "htp://user:{}@host",
    "http://user:{}@127.0.0.1:port",
    "postgresql://host/db?user=u&password={}",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "password"),
    [(address, password) for address in ADDRESSES for password in PASSWORDS[1:3]],
)
def test_of_a_store_that_does_not_answer_or_cannot_be(address, password, workplace, capsys, monkeypatch):
    from lenet import compare, reproduce, resume
    from lenet.run import main

    given = address.format(password)
    commands = [
        lambda: main([*QUICK, f"tracking.uri='{given}'"]),
        lambda: main([*QUICK, f"+tracking.url='{given}'"]),
        lambda: main([*QUICK, f"tracking.experiment='{given}'", "trainer.epochs=x"]),
        lambda: compare.main(["last", f"tracking.uri={given}"]),
        lambda: resume.main(["last", f"tracking.uri={given}"]),
        lambda: reproduce.main(["last", f"tracking.uri={given}"]),
        lambda: compare.main([given]),
        lambda: resume.main([given, "x"]),
    ]
    for number, command in enumerate(commands):
        assert command() == 2, number
        output = "".join(capsys.readouterr())
        assert WORD not in output, (number, output)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    assert main([*QUICK]) == 2
    assert WORD not in "".join(capsys.readouterr())
    assert files_with(workplace, WORD) == []
