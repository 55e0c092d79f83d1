"""What is wrong ends in exit code 2 and one message that names it, before anything is done."""

import re
import sys
from pathlib import Path

import pytest

from lenet.run import main

WRONG = [
    # arguments, what the message says
    (["optimizer.lrr=0.1"], r"`optimizer\.lrr`.*Did you mean `optimizer\.lr`\?"),
    (["optimiser.lr=0.1"], r"`optimiser\.lr`.*Did you mean `optimizer\.lr`\?"),
    (["optimizr=sgd"], r"`optimizr`.*Did you mean `optimizer`\?"),
    (
        ["optimizer=momentun"],
        r"`optimizer=momentun`.*Did you mean `momentum`\? Accepted: adam, adamw, diagonal_lm, momentum, .*, sgd",
    ),
    (["optimizer.lr=abc"], r"`optimizer\.lr` is 'abc'.*number"),
    (["optimizer.lr=0"], r"`optimizer\.lr` is 0.*greater than 0"),
    (["optimizer.lr=-0.1"], r"`optimizer\.lr` is -0\.1.*greater than 0"),
    (["optimizer.lr=nan"], r"`optimizer\.lr` is nan"),
    (["optimizer.lr=inf"], r"`optimizer\.lr` is inf.*finite"),
    (["optimizer.lr=null"], r"`optimizer\.lr` is None.*number"),
    (["optimizer.momentum=1"], r"`optimizer\.momentum` is 1.*less than 1"),
    (["+optimizer.nesterov=true"], r"`optimizer\.nesterov`.*Accepted: .*momentum"),
    (["optimizer.lr=0.1,0.2"], r"`optimizer\.lr` is given several values: add -m"),
    (["optimizer._target_=lenet.optimizers.Momentun"], r"`optimizer\._target_`.*Did you mean `Momentum`\?"),
    (
        ["optimizer._target_=lenet.layers.ReLU"],
        r"`optimizer\._target_` is 'lenet\.layers\.ReLU', which is no Optimizer",
    ),
    (["optimizer._target_=lenet.layers.pooling"], r"Unknown key `optimizer\.lr`.*Accepted: kind"),
    (["optimizer._target_=builtins.dict"], r"`optimizer\._target_` is 'builtins\.dict', which is no Optimizer"),
    (["optimizer.lr=true"], r"`optimizer\.lr` is True: a number is needed, not a boolean"),
    (["seed=true"], r"`seed` is True"),
    (["+optimizer=sgd"], r"optimizer"),
    (["optimizer@foo=sgd"], r"optimizer"),
    (["schedule=plateau", "schedule.metric=val/los"], r"`schedule\.metric` is 'val/los'.*Did you mean `val/loss`\?"),
    (["optimizer=null"], r"optimizer"),
    (["lr=0.1"], r"Unknown key `lr`\. Did you mean `optimizer\.lr`\?"),
    (["optimizer=sgd", "optimizer.momentum=0.5"], r"Unknown key `optimizer\.momentum`\. Accepted under `optimizer`: "),
    (["optimizer.lr=interval(0.1,1)", "-m"], r"does not support sweep type"),
    (["network.pooling=avg,max", "-m", "--cfg", "job"], r"--cfg shows one configuration"),
    (["tracking.experiment=a,b", "-m"], r"`tracking\.experiment` cannot be swept"),
    (["hydra.job.chdir=true", "seed=0,1", "-m"], r"`hydra\.job\.chdir` is true"),
    (["tracking.experiment="], r"`tracking\.experiment` is '': it needs at least 1 character\.$"),
    (["sweep.register=a/b"], r"`sweep\.register` is 'a/b': accepted: up to 100 letters \(a to z\), digits, spaces"),
    (
        ["data=mnist", "data.mirrors=[ftp://x]"],
        r"`data\.mirrors` is 'ftp://x': accepted: addresses that begin with http",
    ),
    (["sweep.resume=last"], r"sweep\.resume continues a sweep: add -m"),
    (["hydra.sweeper.max_batch_size=0", "seed=0,1", "-m"], r"`hydra\.sweeper\.max_batch_size` is 0"),
    (["hydra.sweeper.max_batch_size=abc", "seed=0,1", "-m"], r"`hydra\.sweeper\.max_batch_size` is 'abc'"),
    (["hydra.sweep.dir=/proc/nowhere", "seed=0,1", "-m"], r"/proc/nowhere cannot be written to .* hydra\.sweep\.dir="),
    (["hydra.launcher.workers=0", "seed=0,1", "-m"], r"`hydra\.launcher\.workers` is 0"),
    (["hydra.launcher.start=thread", "seed=0,1", "-m"], r"`hydra\.launcher\.start` is 'thread'.*'fork' or 'spawn'"),
    (["hydra/launcher=paralel", "seed=0,1", "-m"], r"`hydra/launcher=paralel`.*Did you mean `parallel`\?"),
    (["--config-name=other"], r"--config-name is not for this command"),
    (["schedule=cosin"], r"`schedule=cosin`.*Did you mean `cosine`\?"),
    (["schedule=step", "schedule.gamma=2"], r"`schedule\.gamma` is 2"),
    (["schedule=range_test", "schedule.low=1", "schedule.high=0.1"], r"`schedule`: low is 1, .*below high, 0\.1"),
    (["experiment=lr_range_test", "schedule.low=0"], r"`schedule\.low` is 0.*greater than 0"),
    (["experiment=lr_range_test", "schedule.high=inf"], r"`schedule\.high` is inf.*finite"),
    (["experiment=lr_range_test", "+schedule.warmup=1"], r"Unknown key `schedule\.warmup`.*Accepted: low, high, lr"),
    (["network.activation=rellu"], r"`network\.activation` is 'rellu'.*Did you mean `relu`\?"),
    (["network.pooling=mean"], r"`network\.pooling` is 'mean'.*'avg' or 'max'"),
    (["network.initializer=he"], r"`network\.initializer` is 'he'.*he_normal"),
    (["network.layers.0.chanels=3"], r"`network\.layers\.0\.chanels`|`network\.layers\[0\]\.chanels`"),
    (["network.layers.0.channels=0"], r"`network\.layers\[0\]\.channels` is 0"),
    (["network.layers.3.kernel_size=20"], r"`conv2`.*20×20.*\(6, 14, 14\)"),
    (
        ["network.layers.0._target_=lenet.layers.Conv3d"],
        r"`network\.layers\[0\]\._target_`.*Did you mean `Conv2d`\?",
    ),
    (
        ["network.layers.0._target_=nowhere.Layer"],
        r"'nowhere\.Layer'.*cannot be imported: there is no module `nowhere` in",
    ),
    (
        ["optimizer._target_=lenet.nothing.SGD"],
        r"cannot be imported: there is no `nothing` in `lenet`\. Accepted: .* an Op",
    ),
    (["optimizer._target_=lenet.layers.ReLU.no"], r"cannot be imported: there is no `no` in `lenet\.layers\.ReLU`\."),
    (["optimizer._target_=lenet.layers."], r"cannot be imported: a part of it is empty\."),
    (["network.layers=[]"], r"`network\.layers` is \[\]: it needs at least 1 item\.$"),
    (
        ["~network.layers", "+network.layerz=[]"],
        r"`network\.layers` is missing: `network\.layerz` is given\. Did you mean `",
    ),
    (["~network.layers"], r"`network\.layers` is missing\.$"),
    (["network.layers.11.features=9"], r"`linear3` puts out shape \(9,\).*10 classes"),
    (["trainer.epochs=0"], r"`trainer\.epochs` is 0.*greater than or equal to 1"),
    (["trainer.epochs=1.5"], r"`trainer\.epochs` is 1\.5.*integer"),
    (["trainer.batch_size=-1"], r"`trainer\.batch_size` is -1"),
    (["trainer.sampler=shufle"], r"`trainer\.sampler` is 'shufle'.*Did you mean `shuffle`\?"),
    (["trainer.checkpoint_every=soon"], r"checkpoint_every.*'soon'.*epochs.*seconds"),
    (["trainer.checkpoints=lst"], r"`trainer\.checkpoints` is 'lst'.*Did you mean `last`\?"),
    (["trainer.early_stopping=0"], r"`trainer\.early_stopping` is 0"),
    (["trainer.figures=some"], r"`trainer\.figures` is 'some'.*'basic', 'all' or 'none'"),
    (["backend=cupy"], r"backend=cupy cannot be had: .*CuPy is not installed.*pip install -e '\.\[cuda12\]'"),
    (["backend=torch"], r"`backend=torch`.*Accepted: auto, cupy, numpy"),
    (["backend.dtype=float16"], r"`backend\.dtype` is 'float16'.*'float32' or 'float64'"),
    (["backend.threads=0"], r"`backend\.threads` is 0"),
    (["data=mnist5k"], r"`data=mnist5k`.*Did you mean `mnist_5k`\?"),
    (["data.validation=1.5"], r"`data\.validation` is 1\.5"),
    (["data.validation=reprt"], r"`data\.validation` is 'reprt'.*'report'"),
    (["data=mnist", "data.root=no/such/folder"], r"no/such/folder"),
    (["data=npz"], r"`data\.images` must be given"),
    (["data=npz", "data.images=missing.npz"], r"missing\.npz"),
    (["data=idx", "data.root=."], r"train-images-idx3-ubyte"),
    (["seed=-1"], r"`seed` is -1"),
    (["seed=${nothing}"], r"nothing"),
    (["tracking.uri=somewhere"], r"tracking\.uri: `somewhere`.*Accepted: `sqlite:///"),
    (["tracking.uri=sqlit:///x.db"], r"tracking\.uri: `sqlit:///x\.db`"),
    (["experiment=report_regim"], r"`experiment=report_regim`.*Did you mean `report_regime`\?"),
    (["+colour=red"], r"Unknown key `colour`"),
    (["~optimizer"], r"`optimizer` is missing"),
    (["hydra/launcher=jobs"], r"`hydra/launcher=jobs`"),
    (["=3"], r"Cannot read `=3`"),
    (["lr"], r"Cannot read `lr`: it has no `=`\. Overrides are written key=value"),
    (["+lr"], r"Cannot read `\+lr`: it has no `=`\. "),
    (
        ["optimizer.lr=[1,2"],
        r"Cannot read `optimizer\.lr=\[1,2`: its brackets, quotes or other special characters do not",
    ),
    (["optimizer.lr='1"], r"Cannot read `optimizer\.lr='1`: its brackets, quotes or other"),
    (["optimizer.lr==1"], r"Cannot read `optimizer\.lr==1`: its brackets, quotes or other"),
    (["seed=choice()", "-m"], r"Cannot read `seed=choice\(\)`: in 'choice\(\)': empty choice is not legal\. "),
    (["seed=range(1000000000)", "-m"], r"`seed=range\(1000000000\)`: that is 1,000,000,000 jobs or values.*10,000"),
    (["seed=range(200)", "trainer.epochs=range(1,201)", "-m"], r"`seed=range\(200\)`, `trainer\.epochs=.*40,000 jobs"),
    (["seed=shuffle(range(1000000000))", "-m"], r"that is 1,000,000,000 jobs or values"),
    (["optimizer.lr=range(0,1,1e-9)", "-m"], r"`optimizer\.lr=range\(0,1,1e-9\)`: that is .* jobs or values"),
    (["optimizer.lr=range(0,inf)", "-m"], r"`optimizer\.lr=range\(0,inf\)` has no end"),
    (["optimizer.lr=range(0,1,0)", "-m"], r"`optimizer\.lr=range\(0,1,0\)` has no end"),
    (["seed=range(1,0)", "-m"], r"`seed=range\(1,0\)`: there is no value in it"),
    (["seed=glob(*)", "-m"], r"`seed=glob\(\*\)`: there is no value in it"),
    (["seed=" + "[" * 600 + "]" * 600], r"Cannot read `seed=\[\[\[.*nested too deeply"),
    (["seed=" + "9" * 5000], r"Cannot read `seed=999.*5000 digits"),
    (["seed=" + "a" * 10_001], r"Cannot read `seed=aaa.*up to 10,000 characters"),
    (["a" * 300 + "=1"], r"Cannot read `aaa.*200 of the key"),
    (["optimizer=" + "a" * 300], r"`optimizer=aaa.*is not an option"),
    (["seed=\x1b[2J"], r"Cannot read `seed=\\x1b\[2J`"),
    (["~trainer.figures=7"], r"'trainer\.figures' is basic and not 7"),
    (["--mutlirun"], r"unrecognized arguments: --mutlirun\. Did you mean `--multirun`\?"),
    (["--cfg=jobs"], r"--cfg/-c: invalid choice: 'jobs'"),
    (["hydra.sweeper=null", "seed=0,1", "-m"], r"`hydra\.sweeper` is None; it is chosen with hydra/sweeper=grid"),
    (["hydra.launcher=1"], r"`hydra\.launcher` is 1; it is chosen with hydra/launcher=parallel"),
    (["hydra.sweeper.params=1", "-m"], r"`hydra\.sweeper\.params` is 1; accepted: a mapping"),
    (["--config-dir", "no/such/dir"], r"--config-dir is 'no/such/dir'"),
    (["optimizer.lrr=0.1", "--cfg", "job"], r"`optimizer\.lrr`.*Did you mean"),
    # In a sweep one wrong value stops everything before the first job.
    (["optimizer.lr=0.01,abc", "-m"], r"`optimizer\.lr` is 'abc'"),
    (["optimizer=sgd,adamm", "-m"], r"`optimizer=adamm`"),
    (["seed=0,1", "trainer.epoch=2", "-m"], r"`trainer\.epoch`.*Did you mean `trainer\.epochs`\?"),
    (["network.activation=relu,tahn", "-m"], r"`network\.activation` is 'tahn'.*Did you mean `tanh`\?"),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
def test_what_is_wrong_is_named_and_nothing_is_left(arguments, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.delenv("LENET_DATA", raising=False)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert re.search(says, said, re.DOTALL), said
    assert not {"Traceback", "hydra.cc", "validation,", "viable"} & set(re.findall(r"[\w.]+,?", said))
    assert len(said) < 1500
    assert not list(Path().iterdir())
