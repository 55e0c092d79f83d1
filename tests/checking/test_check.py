"""The command that checks a network: its table, its verdicts, its one message, its exit code."""

import csv
import io
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from lenet.check import main
from tests.checking import own_layers

DATA = ("data=npz", "data.images=digits.npz", "backend=numpy")
JSON = ("--format", "json")
LENET5 = {
    # Twice the multiply-accumulates; ReLU: the numbers put out; pools: those taken in, four for each window.
    **{"conv1": 235_200, "activation1": 4_704, "pool1": 4_704},
    **{"conv2": 480_000, "activation2": 1_600, "pool2": 1_600},
    "flatten": 0,
    **{"linear1": 96_000, "activation3": 120, "linear2": 20_160, "activation4": 84, "linear3": 1_680},
}
NETWORK = """\
layers:
  - {{ _target_: lenet.layers.Conv2d, channels: 2, kernel_size: 5, stride: 3 }}
  - {{ _target_: their_layers.{} }}
  - {{ _target_: lenet.layers.Flatten }}
  - {{ _target_: lenet.layers.Linear, features: classes }}
"""


@pytest.fixture
def check(workplace, monkeypatch, capsys):
    """Return what checks a network around one layer of a module in the folder: exit code, output, error."""
    shutil.copy(Path(own_layers.__file__), workplace / "their_layers.py")
    (workplace / "conf/network").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(workplace))
    monkeypatch.delitem(sys.modules, "their_layers", raising=False)

    def run(layer, *arguments, network=NETWORK):
        (workplace / "conf/network/own.yaml").write_text(network.format(layer))
        code = main([*DATA, "--config-dir", "conf", "network=own", *arguments])
        return code, *capsys.readouterr()

    return run


def test_a_user_s_layer_is_checked_and_measured_in_eighty_columns(check):
    code, shown, error = check("Scale")
    assert (code, error) == (0, "")
    assert max(map(len, shown.splitlines())) <= 80
    rows = {line.split()[0]: line.split() for line in shown.splitlines()[3:8]}
    assert list(rows) == ["conv2d1", "scale1", "flatten1", "linear1", "network"]
    assert rows["conv2d1"][1:5] == ["2×4×4", "52", "1.6", "k"]
    assert rows["scale1"][1:4] == ["2×4×4", "32", "32"]
    assert rows["flatten1"][1:4] == ["32", "0", "0"]
    assert rows["network"][1:5] == ["3", "183", "1.82", "k"]
    assert all(row[-1] == "right" and float(row[-2]) < 1e-6 for row in rows.values())
    assert all(float(row[-3]) > 0 and float(row[-4]) > 0 for row in rows.values())


def test_a_total_that_lacks_a_layer_s_operations_says_so(check):
    code, shown, _ = check("Swish")
    rows = {line.split()[0]: line.split() for line in shown.splitlines()[3:8]}
    assert code == 0
    assert max(map(len, shown.splitlines())) <= 80
    assert rows["swish1"][3] == "–"
    assert rows["network"][3:5] == ["≥1.79", "k"]
    assert "≥: at least" in shown
    told = {row["layer"]: (row["flop"], row["flop_complete"]) for row in json.loads(check("Swish", *JSON)[1])}
    assert told == {
        "conv2d1": (1600, True),
        "swish1": (None, False),
        "flatten1": (0, True),
        "linear1": (192, True),
        "network": (1792, False),
    }


def test_the_operations_of_lenet_5_are_those_counted_by_hand(workplace, capsys):
    assert main([*JSON]) == 0
    told = {row["layer"]: row["flop"] for row in json.loads(capsys.readouterr().out)}
    assert told == LENET5 | {"network": sum(LENET5.values())}


def test_a_wrong_gradient_ends_in_exit_code_1_and_one_message(check):
    code, shown, error = check("MeanGradient", "--format", "csv")
    rows = {row["layer"]: row for row in csv.DictReader(io.StringIO(shown))}
    assert code == 1
    assert {name: row["verdict"] for name, row in rows.items()} == {
        **dict.fromkeys(("conv2d1", "flatten1", "linear1"), "right"),
        **dict.fromkeys(("meangradient1", "network"), "WRONG"),
    }
    assert float(rows["meangradient1"]["input_error"]) < 1e-6
    assert float(rows["meangradient1"]["parameter_error"]) == pytest.approx(2 / 3, abs=0.2)
    assert error.count("\n") == 1
    assert re.match(
        r"lenet: layer `meangradient1` \(MeanGradient\): the gradient of `weight` is wrong: at \(\d, \d, \d\) ", error
    )
    assert rows["meangradient1"]["problem"] in error


BELOW = """\
layers:
  - {{ _target_: lenet.layers.Flatten }}
  - {{ _target_: their_layers.{} }}
  - {{ _target_: lenet.layers.Linear, features: classes }}
"""


def test_a_network_with_a_wrong_layer_below_all_parameters_is_wrong(check):
    code, shown, error = check("Slow", *JSON, network=BELOW)
    rows = {row["layer"]: row for row in json.loads(shown)}
    assert code == 1
    assert {name: row["verdict"] for name, row in rows.items()} == {
        **dict.fromkeys(("flatten1", "linear1"), "right"),
        **dict.fromkeys(("slow1", "network"), "WRONG"),
    }
    assert rows["network"]["parameter_error"] < 1e-6
    assert rows["network"]["input_error"] > 1e-3
    assert rows["network"]["problem"].startswith("network: the gradient of its input is wrong: at (")
    assert error.startswith("lenet: layer `slow1` (Slow): the gradient of its input is wrong")
    assert error.count("\n") == 1


TWICE = """\
layers:
  - {{ _target_: lenet.layers.Flatten }}
  - {{ _target_: lenet.layers.Linear, name: below, features: 20 }}
  - {{ _target_: their_layers.{0} }}
  - {{ _target_: lenet.layers.Linear, name: between, features: 20 }}
  - {{ _target_: their_layers.{0} }}
  - {{ _target_: lenet.layers.Linear, features: classes }}
"""


def test_a_wrong_gradient_of_the_network_is_told_by_the_parameter_s_name_and_the_place_in_it(check):
    code, _, error = check("SharesItsOutput", network=TWICE)
    assert code == 1
    found = re.search(r"network: the gradient of `below/weight` is wrong: at \((\d+), (\d+)\) backward says", error)
    assert int(found[1]) < 256
    assert int(found[2]) < 20


def test_a_faulty_layer_is_named_and_the_others_are_checked_all_the_same(check):
    code, shown, error = check("BackwardNone", "--format", "json")
    verdicts = {row["layer"]: row["verdict"] for row in json.loads(shown)}
    assert code == 1
    assert verdicts == {
        "conv2d1": "right",
        "backwardnone1": "faulty",
        "flatten1": "right",
        "linear1": "right",
        "network": "",
    }
    assert error == (
        "lenet: layer `backwardnone1` (their_layers.BackwardNone): backward returns None; accepted: an array "
        "(32, 2, 4, 4) of float32, that of its input.\n"
    )


def test_what_only_a_run_s_dtype_brings_out_is_a_fault_and_the_network_has_no_verdict(check):
    code, shown, error = check("Upcast", "--format", "json")
    assert (code, error.count("\n")) == (1, 1)
    assert "forward returns float64 where it is given float32; accepted: self.backend.dtype." in error
    assert [row["verdict"] for row in json.loads(shown)] == ["right", "faulty", "right", "right", ""]
    assert check("Upcast", "backend.dtype=float64")[0] == 0


@pytest.mark.parametrize(
    ("layer", "code", "said"),
    [
        ("RaisesInSetup", 2, r"`raisesinsetup1` .*: setup raises IndexError: .*\(their_layers\.py, line \d+\)"),
        ("SetupWithoutShape", 2, r"`setupwithoutshape1` .*: setup raises TypeError: .*takes 1 positional argument"),
        (
            "RaisesInInit",
            2,
            r"`network\.layers\[1\]` \(their_layers\.RaisesInInit\) cannot be .* KeyError: 'alpha' \(their",
        ),
        ("SetupNone", 2, r"`setupnone1` \(SetupNone\): setup returns None; accepted: the shape"),
        ("SpecsNone", 2, r"`specsnone1` \(SpecsNone\): parameter_specs returns None; accepted: a mapping"),
        ("NotALayer", 2, r"`network\.layers\[1\]\._target_` is 'their_layers\.NotALayer', which is no Layer"),
        ("Nothing", 2, r"'their_layers\.Nothing', which cannot be imported: there is no `Nothing` in `their_layers`\."),
    ],
)
def test_a_layer_that_cannot_be_made_is_said_in_one_message(check, layer, code, said):
    found, shown, error = check(layer)
    assert (found, shown, error.count("\n")) == (code, "", 1)
    assert re.search(said, error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tolerance", "0"], "--tolerance is 0; accepted are numbers between 0 and 1"),
        (["optimizer.lr=0.1,0.2"], "`optimizer.lr` is given several values: accepted here: one"),
        (["hydra.mode=MULTIRUN"], "hydra.mode is MULTIRUN"),
        (["-m"], "unknown option `-m`"),
        (["lenet5"], "Cannot read `lenet5`: it has no `=`. Overrides are written key=value"),
        (["network=lenet6"], "`network=lenet6` is not an option"),
        (["--config-dir", "nowhere"], "--config-dir is 'nowhere', which is not a folder"),
        (["data=npz", "data.images=nothing.npz"], "nothing.npz"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_message(workplace, capsys, arguments, said):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "overrides",
    [
        ["network.pooling=max"],  # ties of the ground, and of zeros above ReLU
        pytest.param(["network.activation=sigmoid", "data.scaling=report"], marks=pytest.mark.slow),
        pytest.param(["network=lenet5_batchnorm"], marks=pytest.mark.slow),
        pytest.param(["network=lenet5_dropout", "network.pooling=max", "seed=3"], marks=pytest.mark.slow),
        pytest.param(["network=lenet5_1998", "loss=map", "trainer.batch_size=1"], marks=pytest.mark.slow),
    ],
)
def test_the_networks_of_the_menu_are_right(workplace, capsys, overrides):
    assert main(overrides) == 0
    assert not {"WRONG", "faulty"} & set(capsys.readouterr().out.split())
