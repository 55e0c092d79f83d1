"""The benchmark suite works; what it measures is not asserted. Nothing here needs PyTorch or JAX."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import (
    commands,
    entries,
    first_step,
    floor,
    gpu,
    process,
    report,
    report_algorithm,
    setting,
    time_to_accuracy,
    train_step,
)
from benchmarks.agreement import DisagreementError, check_agreement, relative_errors
from benchmarks.arena import REMOVED, Arena, ContenderError, Entry, clean_environment
from benchmarks.contenders.base import Contender
from benchmarks.contenders.lenet_cupy import LeNetCupy
from benchmarks.contenders.lenet_numpy import LeNetNumpy
from benchmarks.contenders.on_gpu import OnGpu, activity_of
from benchmarks.options import parse
from lenet.arrays.gpu import Gpu, GpuMissing
from lenet.data import Mnist5k
from tests.device.standin import StandIn


@pytest.fixture(scope="module")
def problem():
    return setting.make_problem(Mnist5k().load(seed=0), size=200)


@pytest.fixture
def arena(problem):
    with Arena([entries.ours(1), entries.ours(2)]) as arena:
        arena.all("open", problem)
        yield arena


class Echo:
    """A target of an arena."""

    def repeat(self, value: object) -> object:
        return value

    def fail(self) -> None:
        raise ValueError("on purpose")


ECHO = Entry("echo", f"{__name__}:Echo")


def test_a_step_of_the_default_network_costs_what_counting_by_hand_says():
    conv1, conv2 = 28 * 28 * 6 * 25, 10 * 10 * 16 * 150
    linear = 400 * 120 + 120 * 84 + 84 * 10
    expected = 2 * (2 * conv1 + 3 * conv2 + 3 * linear)
    assert floor.flops_per_sample(setting.summaries()) == expected


def test_sgemm_is_measured_for_every_shape():
    rates = floor.Sgemm().rates(0.01)
    assert len(rates) == len(floor.SHAPES)
    assert all(rate > 0 for rate in rates.values())


def test_a_network_twice_as_wide_has_twice_the_channels_and_as_many_classes():
    weights = setting.initial_weights(width=2)
    assert weights["conv1/weight"].shape == (12, 1, 5, 5)
    assert weights["conv2/weight"].shape == (32, 12, 5, 5)
    assert weights["linear1/weight"].shape == (800, 240)
    assert weights["linear3/weight"].shape == (168, 10)


def test_contenders_agree_and_are_timed(arena, problem):
    assert check_agreement(arena, problem, batch=40) == 0.0  # the same bits for any number of threads
    rates = arena.round(1, train_step.throughput_of(16, 0.01))
    assert list(rates) == ["lenet ×2", "lenet ×1"]  # each round starts with another
    assert all(rate > 0 for rate in rates.values())
    assert arena.children["lenet ×1"].ask("evaluation", 64, 0.01) > 0
    assert "kernel" in arena.children["lenet ×1"].ask("versions")["BLAS"]


def test_the_reports_loops_compute_the_same_gradients(problem):
    with Arena([entries.ours(1), report_algorithm.LOOPS]) as arena:
        arena.all("open", problem)
        report_algorithm.check(arena, np.arange(2))


def test_a_contender_that_computes_something_else_is_not_timed(arena, problem):
    other = {name: 1.01 * weight for name, weight in problem.weights.items()}
    wrong = type(problem)(**vars(problem) | {"weights": other})
    arena.children["lenet ×2"].ask("open", wrong)
    with pytest.raises(DisagreementError, match="loss: lenet ×2 and lenet ×1 differ"):
        check_agreement(arena, problem, batch=8)


def test_other_shapes_or_names_are_disagreement_too():
    with pytest.raises(DisagreementError, match="shape"):
        relative_errors({"a": np.zeros(3)}, {"a": np.zeros(2)})
    with pytest.raises(DisagreementError, match="not the same"):
        relative_errors({"b": np.zeros(2)}, {"a": np.zeros(2)})


def test_a_child_that_fails_says_why_and_lives_on():
    with Arena([ECHO]) as arena:
        with pytest.raises(ContenderError, match="on purpose"):
            arena.children["echo"].ask("fail")
        assert arena.children["echo"].ask("repeat", 7) == 7


def test_children_have_ended_when_the_arena_is_left():
    with Arena([ECHO]) as arena:
        child = arena.children["echo"]
    assert child._process.returncode == 0
    with pytest.raises(ContenderError, match="has ended"):
        child.ask("repeat", 1)


def test_children_get_no_variables_that_slow_them_down(monkeypatch):
    for name in REMOVED:
        monkeypatch.setenv(name, "1")
    assert not clean_environment().keys() & set(REMOVED)
    assert clean_environment({"XLA_FLAGS": "x"})["XLA_FLAGS"] == "x"


def outcome() -> train_step.Outcome:
    throughput = {"lenet ×1": 30_000.0, "lenet ×2": 50_000.0, "PyTorch eager ×1": 10_000.0, "JAX jit": 20_000.0}
    throughput[f"JAX jit{entries.BY_HAND}"] = 90_000.0
    return train_step.Outcome({64: throughput}, {"8·8·8": 50e9, "9·9·9": 150e9}, flops=2_000_000)


def test_ratios_are_of_the_best_on_both_sides_and_leave_out_what_is_written_by_hand():
    assert outcome().best(64, ours=True) == ("lenet ×2", 50_000.0)
    assert outcome().best(64, ours=False) == ("JAX jit", 20_000.0)


def test_the_share_of_the_floor_is_of_one_core_and_of_the_fastest_product():
    assert outcome().floor_share(64) == pytest.approx(30_000 * 2e6 / 150e9)


def test_the_page_tells_ratios_floor_and_machine(tmp_path):
    facts = report.machine() | {"busy_for_others": 0.1}
    text = train_step.describe(outcome(), "mnist_5k", facts, {"BLAS": "openblas"}, parse([], None))
    assert "2.50 ×" in text
    assert "**40%**" in text
    assert "kept 0.1 busy" in text
    report.write("page", text, facts, tmp_path)
    assert json.loads((tmp_path / "page.json").read_text())["cpu"] == facts["cpu"]


def test_the_chart_is_drawn_and_small(tmp_path):
    report.bars(tmp_path / "chart.png", "title", "samples/s", {"batch 1": {"lenet ×1": 3.0, "other": 1.0}}, "lenet")
    assert 1_000 < (tmp_path / "chart.png").stat().st_size < 60_000


def test_a_command_is_measured_with_its_children(tmp_path):
    child = "import time; x = bytearray(range(250)) * 400_000; time.sleep(0.5)"  # 100 MB
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    usage = process.run([sys.executable, "-c", code], tmp_path, clean_environment())
    assert usage.wall > 0.5
    assert min(usage.pss, usage.largest_rss) > 1e8  # which of them is more depends on who else runs Python here


def test_a_command_that_fails_is_no_measurement(tmp_path):
    with pytest.raises(process.CommandError, match="ended with 3"):
        process.run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, clean_environment())


def test_start_up_is_measured_until_the_line_is_said(tmp_path):
    code = f"print({first_step.LINE!r}, flush=True); import time; time.sleep(60)"
    assert process.cpu_until([sys.executable, "-c", code], tmp_path, clean_environment(), first_step.LINE) < 30
    with pytest.raises(process.CommandError, match="never said"):
        process.cpu_until([sys.executable, "-c", "print(1)"], tmp_path, clean_environment(), first_step.LINE)


def test_whole_runs_are_told_in_a_table():
    usage = {"wall": 5.0, "cpu": 7.0, "pss": 3.4e8, "largest_rss": 3e8}
    text = commands.describe({"run": [usage]}, {"until the first step": [1.5], "imports alone": [1.0]})
    assert "340 MB" in text
    assert "1.50 ×" in text


def test_the_reports_steps_are_46900_of_one_sample_from_each_block():
    order = report_algorithm.report_order(60_000)
    assert len(order) == report_algorithm.STEPS == 46_900
    assert (order[:938] // 64 == np.arange(938)).all()


def test_every_contender_has_the_same_loops_around_it():
    from benchmarks.contenders.lenet_numpy import LeNetNumpy
    from benchmarks.contenders.report_loops import ReportLoops

    for kind in (LeNetNumpy, ReportLoops):
        assert kind.throughput is Contender.throughput
        assert kind.train is Contender.train


def test_the_time_to_an_accuracy_is_told_with_and_without_the_luck_of_the_epoch():
    ours = time_to_accuracy.Run("lenet ×1", [1.0, 1.0], [0.98, 0.991])
    theirs = time_to_accuracy.Run("PyTorch eager ×1", [3.0, 3.0, 3.0], [0.97, 0.98, 0.99])
    text = time_to_accuracy.describe([[ours, theirs]], 60_000)
    assert "**1/4.50** of the time to 99.0%, 1/3.00 of the time of an epoch" in text


def test_what_a_gpu_does_is_counted_by_kind():
    on_gpu = [
        "Memcpy HtoD (Pageable -> Device)",
        "Memcpy DtoH",
        "Memset (Device)",
        "sgemm_32x32",
        "cupy_add",
        "cupy_add",
    ]
    by_host = [
        "cudaLaunchKernel",
        "cuLaunchKernel",
        "cudaMemcpyAsync",
        "cudaStreamSynchronize",
        "cudaDeviceSynchronize",
    ]
    events = [
        SimpleNamespace(name=name, device_type=SimpleNamespace(name=kind))
        for kind, names in (("CUDA", on_gpu), ("CPU", by_host))
        for name in names
    ]
    assert activity_of(events) == {"kernels": 3, "launches": 2, "uploads": 1, "reads": 1, "waits": 1}


def test_the_gpus_page_tells_ratios_memory_and_what_a_step_does():
    rates = {64: {"lenet, CuPy": 2e5, "PyTorch eager": 1e5}}
    memory = {64: {"lenet, CuPy": 5_000_000, "PyTorch eager": 9_000_000}}
    activity = {64: dict.fromkeys(rates[64], dict.fromkeys(gpu.ACTIVITIES, 1.5))}
    text = gpu.describe(rates, memory, activity, "some digits")
    assert "2.00 ×" in text
    assert "| lenet, CuPy" in text
    assert "1.5 / 1.5 / 1.5 / 1.5 / 1.5" in text


class Simulated(OnGpu, LeNetNumpy):
    """A contender that says of the CPU what one on a GPU says of that."""

    def memory(self) -> int:
        return 5_000_000

    def activity(self, batch: int) -> dict[str, float]:
        return dict.fromkeys(gpu.ACTIVITIES, 2.0)


def test_all_that_is_measured_on_a_gpu_is_printed_and_written(monkeypatch, capsys):
    simulated = [Entry(name, f"{__name__}:Simulated", {"threads": 1}) for name in ("lenet, CuPy", "PyTorch eager")]
    written = {}
    monkeypatch.setattr(gpu, "ENTRIES", simulated)
    monkeypatch.setattr(gpu, "find", lambda device: Gpu(None, "simulated"))
    monkeypatch.setattr(report, "write", lambda name, text, data: written.update({name: (text, json.dumps(data))}))
    gpu.main(["--batches", "16", "64", "--rounds", "1", "--seconds", "0.01"])
    text, data = written["gpu"]
    assert text in capsys.readouterr().out
    assert "2 / 2 / 2 / 2 / 2" in text
    assert "kept" in text, "how busy the machine was with other work"
    assert set(json.loads(data)["rounds"]["samples_per_second"]) == {"16", "64"}


def test_without_a_gpu_nothing_is_measured(monkeypatch):
    def find(device):
        raise GpuMissing("there is none", "buy one")

    monkeypatch.setattr(gpu, "find", find)
    with pytest.raises(SystemExit, match="no GPU to measure: there is none; buy one"):
        gpu.main([])


def test_the_contender_for_a_gpu_computes_what_that_on_numpy_does(problem, monkeypatch):
    monkeypatch.setattr("lenet.arrays.backend.find", lambda device: Gpu(StandIn(), "stand-in"))
    on_gpu, on_numpy = LeNetCupy(), LeNetNumpy(threads=1)
    batch = np.arange(64)
    found = []
    for contender in (on_gpu, on_numpy):
        contender.open(problem)
        found.append([contender.gradient(batch)[0], contender.train_steps([batch]), contender.predict(64)])
    assert found[0][0] == pytest.approx(found[1][0])
    assert max(relative_errors(found[0][1], found[1][1]).values()) < 1e-5
    assert (found[0][2] == found[1][2]).mean() > 0.98
