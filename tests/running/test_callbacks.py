"""Callbacks are told of a run, and whatever they do, it comes out as it does without them."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lenet import checkpoint, reproduce, resume
from lenet.callbacks import Callback, RunView, metrics_of
from lenet.checkpoint import Checkpoint
from lenet.configuration.build import build
from lenet.configuration.config import compose_config
from lenet.errors import Failure, UserError
from lenet.run import main
from lenet.running.telling import Teller
from tests.conftest import SMALL, Stopped, artifacts, family
from tests.sameness import arrays, assert_same, points
from tests.stopping import STEPS

WATCHING = """
import numpy as np

from lenet.callbacks import Callback

told = []


class Watch(Callback):
    def __init__(self, fail=None):
        self.fail = fail

    def on_run_begin(self, run):
        told.append(("begin", len(run.history)))

    def on_epoch_end(self, run, epoch, record):
        told.append((epoch, record["val/loss"]))
        if self.fail == epoch:
            raise KeyError("gone")
        return {"norm/conv1": np.abs(run.parameters()["conv1/weight"]).sum(), "epochs": len(run.history)}

    def on_run_end(self, run, metrics):
        told.append(("end", *metrics))
        run.log_text("seen", "notes/seen.txt")

    def on_exception(self, run, error):
        told.append((type(error).__name__, str(error)))
        raise RuntimeError("no matter")


class Meddle(Callback):
    def on_epoch_end(self, run, epoch, record):
        record["val/accuracy"] = 2.0
        for array in run.parameters().values():
            array[...] = 0
        for past in run.history:
            past.clear()
        run.history.clear()
        run.config.clear()
        np.random.seed(epoch)

    def on_run_end(self, run, metrics):
        metrics["test/accuracy"] = 2.0
"""
WATCH = "+callbacks.watch={_target_: watching.Watch}"
RUN = [*SMALL, "trainer.figures=none"]


@pytest.fixture
def told(workplace, monkeypatch):
    """Lay the module `watching` where Python finds it, and return what its callbacks were told."""
    (workplace / "watching.py").write_text(WATCHING)
    monkeypatch.syspath_prepend(str(workplace))
    import watching

    yield watching.told
    del sys.modules["watching"]


def test_they_are_told_of_the_beginning_of_each_epoch_and_of_the_end(told, records, client):
    assert main([*RUN, WATCH]) == 0
    (run,) = records()
    losses = [point.value for point in client.get_metric_history(run.info.run_id, "val/loss")]
    ends = ("end", "test/loss", "test/accuracy", "best/val_accuracy")
    assert told == [("begin", 0), *enumerate(losses, start=1), ends]
    norms = client.get_metric_history(run.info.run_id, "callbacks/watch/norm/conv1")
    assert [point.step for point in norms] == [1, 2, 3]
    last = checkpoint.load(artifacts(run) / "checkpoints/last.npz")
    assert norms[-1].value == pytest.approx(abs(last.arrays["param/conv1/weight"]).sum())
    assert [p.value for p in client.get_metric_history(run.info.run_id, "callbacks/watch/epochs")] == [1, 2, 3]
    assert (artifacts(run) / "callbacks/watch/notes/seen.txt").read_text() == "seen"
    assert run.data.params["callbacks.watch._target_"] == "watching.Watch"


def test_what_they_do_reaches_no_training_and_without_any_nothing_is_recorded_of_them(told, records, client):
    assert main(RUN) == 0
    assert main([*RUN, "+callbacks.meddle={_target_: watching.Meddle}"]) == 0
    meddled, plain = records()
    assert arrays(meddled) == arrays(plain)
    assert points(client, meddled) == points(client, plain)
    assert not [key for key in plain.data.params if key.startswith("callbacks")]
    assert "callbacks" not in checkpoint.load(artifacts(plain) / "checkpoints/last.npz").meta


@pytest.mark.parametrize("step", [STEPS + 2, *(pytest.param(step, marks=pytest.mark.slow) for step in (0, 2 * STEPS))])
def test_an_interrupted_run_records_what_one_that_never_was_does(step, told, client, records, stop_at):
    settings = [*RUN, WATCH, "trainer.checkpoint_every=4steps"]
    assert main(settings) == 0
    stop_at(step)
    with pytest.raises(Stopped):
        main(settings)
    told.clear()
    assert resume.main(["last", "--allow", "watching"]) == 0
    again, whole = records()
    assert_same(client, again, whole)
    # From the last checkpoint on: that of step 4, 8 and so on, or none.
    finished = (step - step % 4) // STEPS
    assert [each[0] for each in told] == ["begin", *range(finished + 1, 4), "end"]
    assert told[0] == ("begin", finished)


@pytest.mark.slow
def test_a_run_with_callbacks_is_reproduced(told, records, capsys):
    assert main([*RUN, WATCH]) == 0
    assert reproduce.main(["last"]) == 2
    assert "--allow" in capsys.readouterr().err
    assert reproduce.main(["last", "--allow", "watching"]) == 0
    assert "identical, bit by bit" in capsys.readouterr().out


@pytest.mark.slow
def test_what_they_raise_ends_the_run_and_an_epoch_they_failed_on_is_told_again(
    told, records, client, capsys, workplace
):
    assert main([*RUN, "+callbacks.watch={_target_: watching.Watch, fail: 2}"]) == 1
    (run,) = records()
    reason = "`callbacks.watch` raised in on_epoch_end: KeyError: 'gone'"
    assert run.info.status == "FAILED"
    assert reason in run.data.tags["lenet.error"]
    assert f"failed: CallbackError: {reason}" in capsys.readouterr().err
    assert [each[0] for each in told] == ["begin", 1, 2, "CallbackError"]
    log = (artifacts(run) / "log.txt").read_text()
    assert 'raise KeyError("gone")' in log
    assert "no matter" in log
    told.clear()
    assert resume.main(["last", "--allow", "watching"]) == 1  # the same callback fails on the same epoch
    assert [each[0] for each in told] == ["begin", 2, "CallbackError"]
    (workplace / "watching.py").write_text(WATCHING.replace("if self.fail == epoch", "if False"))
    del sys.modules["watching"]
    assert resume.main(["last", "--allow", "watching"]) == 0
    (run,) = records()
    epochs = client.get_metric_history(run.info.run_id, "callbacks/watch/epochs")
    assert [(point.step, point.value) for point in epochs] == [(1, 1), (2, 2), (3, 3)]


def view(**changed):
    """Return a view of a run that is none."""
    nothing = {"history": list, "parameters": dict, "log_text": None, "log_bytes": None}
    return RunView(id="0", name="run", epochs=3, config={}, callback="mine", **{**nothing, **changed})


@pytest.mark.parametrize("name", ["../x", "", "/x", "a=b", "x" * 300, 1])
def test_metrics_that_mlflow_would_not_take_are_named(name):
    with pytest.raises(ValueError, match="it returned a metric named"):
        metrics_of("mine", {name: 1.0})


@pytest.mark.parametrize("returned", [[1.0], 1.0, "x"])
def test_what_is_no_mapping_is_refused(returned):
    with pytest.raises(TypeError, match="accepted: a mapping of metrics' names to numbers, or None"):
        metrics_of("mine", returned)


@pytest.mark.parametrize("value", [[1.0], None, "x", 1j, pytest.param(2**1024, id="2**1024")])
def test_a_metric_that_is_no_number_is_named(value):
    with pytest.raises(ValueError, match=r"^it returned .* as the metric 'norm/x'; accepted: a number$"):
        metrics_of("mine", {"y": 1.0, "norm/x": value})


@pytest.mark.parametrize("path", ["../x", "", "/x", ".", "a/../../x"])
def test_artifacts_stay_in_the_callback_s_own_folder(path):
    written = []
    run = view(log_bytes=lambda data, name: written.append(name))
    with pytest.raises(ValueError, match="must be a path inside the callback's folder"):
        run.log_bytes(b"", path)
    run.log_bytes(b"", "a/b.png")
    assert written == ["callbacks/mine/a/b.png"]


class Refuse(Callback):
    def on_epoch_end(self, run, epoch, record):
        raise Failure("the board is full")


def teller(epochs, callback=Callback):
    """Return what tells a callback `watch` of a run that has finished so many epochs, and what the run recorded."""
    logged = []
    trainer = SimpleNamespace(epochs=9, progress=SimpleNamespace(epoch=epochs, history=[{"lr": 1.0}] * epochs))
    run = SimpleNamespace(id="0", name="run", log_text=None, log_bytes=None)
    run.log_metrics = lambda metrics, step: logged.append((step, metrics))
    return Teller(SimpleNamespace(callbacks={"watch": callback()}, config={}), trainer, run), logged


def saved(recorded):
    return Checkpoint(Path("last.npz"), {}, {"callbacks": recorded})


def test_a_failure_that_they_tell_themselves_is_told_as_it_is():
    with pytest.raises(Failure, match=r"^the board is full$"):
        teller(0, Refuse)[0].epoch(1, {"lr": 1.0})


def test_what_was_recorded_before_a_kill_is_recorded_again_from_the_checkpoint():
    again, logged = teller(2)
    again.begin(saved([{"callbacks/watch/x": 1.0}, {}]))
    assert logged == [(1, {"callbacks/watch/x": 1.0}), (2, {})]
    assert again.state() == {"callbacks": [{"callbacks/watch/x": 1.0}, {}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ([{"val/accuracy": 1.0}], "a metric 'val/accuracy'"),
        ([{"callbacks/other/x": 1.0}], "a metric 'callbacks/other/x'"),
        ([{"callbacks/watch/../x": 1.0}], r"a metric 'callbacks/watch/\.\./x'"),
        ([{"callbacks/watch/x": "big"}], r"callbacks\.0\.callbacks/watch/x"),
        ([{}] * 3, "has 3 epochs"),
        ({"x": 1}, r"`meta\.callbacks`"),
        (None, r"`meta\.callbacks`"),
    ],
)
def test_a_checkpoint_that_was_altered_is_refused(change, said):
    again, logged = teller(2)
    with pytest.raises(UserError, match=said):
        again.begin(saved(change))
    assert not logged


@pytest.mark.slow
def test_each_job_of_a_sweep_has_its_own(told, records):
    assert main([*RUN, WATCH, "seed=0,1", "-m"]) == 0
    _, jobs = family(records())
    assert [job.data.metrics["callbacks/watch/epochs"] for job in jobs] == [3, 3]


def test_a_diverged_epoch_is_told(told, records, client):
    assert main([*RUN, WATCH, "optimizer=sgd", "optimizer.lr=1e25"]) == 0
    (run,) = records()
    assert run.data.tags["diverged"] == "true"
    assert [each[0] for each in told] == ["begin", 1, "end"]
    assert run.data.metrics["callbacks/watch/epochs"] == 0


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (["x"], r"`callbacks` is \['x'\]"),
        ({"a-b": {"_target_": "watching.Watch"}}, r"`callbacks` has the name 'a-b'"),
        (
            {"x": {"_target_": "lenet.layers.ReLU"}},
            r"`callbacks\.x\._target_` is 'lenet\.layers\.ReLU', .*Callback",
        ),
        ({"x": {"_target_": "watching.Watch", "fial": 1}}, r"Unknown key `callbacks\.x\.fial`. Did you mean `fail`"),
        ({"x": {"fail": 1}}, r"`callbacks\.x` is .*; it needs a mapping with `_target_`"),
        ({"x": None}, r"`callbacks\.x` is None"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(node, said, told):
    with pytest.raises(UserError, match=said):
        build({**compose_config(), "callbacks": node})


def named(name):
    """Return a configuration with a callback that has besides a method of this name."""
    sys.modules["watching"].Named = type("Named", (Callback,), {name: lambda self, *told: None})
    return {**compose_config(), "callbacks": {"x": {"_target_": "watching.Named"}}}


@pytest.mark.parametrize(("name", "meant"), [("on_epoch_ends", " Did you mean `on_epoch_end`?"), ("on_board", "")])
def test_a_method_that_no_run_calls_is_refused_where_it_looks_like_one_that_is(name, meant, told):
    with pytest.raises(UserError) as info:
        build(named(name))
    assert str(info.value) == (
        f"`callbacks.x` ({__name__}.Named) has `{name}`, which no run calls.{meant} Accepted of names that begin with "
        "`on_`: on_epoch_end, on_exception, on_run_begin, on_run_end."
    )


@pytest.mark.parametrize("name", ["once", "_on_epoch_ends", "on_run_end"])
def test_other_methods_may_have_any_name(name, told):
    assert set(build(named(name)).callbacks) == {"x"}


def test_a_stored_run_names_callbacks_of_allowed_modules_alone(told):
    config = {key: value for key, value in compose_config().items() if key != "sweep"}
    config["callbacks"] = {"x": {"_target_": "watching.Watch"}}
    with pytest.raises(UserError, match=r"`callbacks\.x\._target_` is 'watching\.Watch', which is not in a module"):
        build(config, allowed=())
    assert set(build(config, allowed=["watching"]).callbacks) == {"x"}
