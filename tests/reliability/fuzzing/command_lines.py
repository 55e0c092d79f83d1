"""Command lines put together from keys, values, quotes and brackets, and YAML files of the user's own beside them."""

import math
import re
from pathlib import Path
from random import Random
from typing import Any

from lenet.common.flatten import flatten
from lenet.configuration.build import Plan, build
from lenet.configuration.config import CommandLine, compose_config, read
from lenet.configuration.folders import folder
from tests.reliability.fuzzing.mutations import mutate_bytes, replace_one
from tests.reliability.fuzzing.stored import check_plan, mutate_text, mutate_tree

Words = tuple[str, ...]

GROUPS = (
    *("network", "loss", "optimizer", "schedule", "data", "augmentation", "trainer", "backend", "tracking"),
    *("experiment", "hydra/launcher"),
)
OPTIONS = (
    *("lenet5", "lenet5_1998", "cross_entropy", "map", "sgd", "nesterov", "adamw", "cosine", "plateau", "threshold"),
    *("npz", "idx", "mnist", "none", "elastic", "numpy", "cupy", "mlflow", "null"),
)
ODD_KEYS = (
    *("", "lr", "optimizer.lrr", "a.b.c", "a" * 300, "a" + ".a" * 500, "optimizer@x", "optimizer@x:y", "hydra", "x/y"),
    *("network.layers.0", "network.layers.99.x", "network.layers.-1", "seed.x", "optimizer..lr", "é", "a b", "\x1b[2J"),
    *("hydra.sweeper", "hydra.sweep.dir", "hydra.launcher", "hydra.mode", "hydra.job.chdir", "hydra.sweeper.params"),
)
VALUES = (
    *(
        "0",
        "1",
        "-1",
        "7",
        "0.5",
        "1e-400",
        "1e400",
        "9" * 30,
        "9" * 5000,
        "0x10",
        "1_000",
        "nan",
        "inf",
        "-inf",
        "true",
    ),
    *("null", "", "abc", "report", "x.npz", "~", "~/x", "${seed}", "${optimizer}", "${nothing}", "${oc.env:NOTHING}"),
    *("${oc.env:NOTHING,3}", "${now:%Y}", "${hydra:job.num}", "${oc.decode:'[['}", "${", "${a", "???", "$", "%", "\\"),
    *(
        "[]",
        "{}",
        "[1,2]",
        "{a:1}",
        "{a:{b:[1]}}",
        "[" * 60 + "]" * 60,
        "[" * 600 + "]" * 600,
        "{a:" * 300 + "1" + "}" * 300,
    ),
    *(
        "'a,b'",
        "'",
        '"',
        "'\\''",
        '"\n"',
        "a'b",
        "é",
        "日本",
        "\u202e",
        "\x1b[2J",
        "\0",
        "\udcff",
        "\ufffe",
        "a" * 20_000,
    ),
    *(
        "1,2",
        "1,1",
        "a,b",
        ",",
        "1,",
        "range(3)",
        "range(0,1,0.5)",
        "range(1000000000)",
        "range(0,1,1e-9)",
        "range(1,0)",
    ),
    *(
        "range(0,inf)",
        "range(0,1,0)",
        "range(nan)",
        "range(0,1,nan)",
        "choice(1,2)",
        "choice()",
        "shuffle(range(1000000000))",
    ),
    *("sort(3,1,2)", "interval(0,1)", "glob(*)", "glob([)", "tag(a,1,2)", "int(x)", "int('1')", "str(1)", "float(1e5)"),
    *("lenet.optimizers.SGD", "lenet.layers.ReLU", "lenet.optimizers", "builtins.dict", "no.such", "."),
)
FLAGS = (
    "-m",
    "--multirun",
    "--cfg",
    "job",
    "--resolve",
    "--package",
    "x",
    "-p",
    "--info",
    "--nothing",
    "-x",
    "--",
    "-",
)
FLAGS += (
    "--config-dir",
    "/nowhere",
    "--config-name=x",
    "--hydra-help",
    "--cfg=x",
    "-c",
    "--experimental-rerun=x",
    "--c",
)
PLAIN = re.compile(r"(?!hydra)([a-z_]+(?:\.[a-z_]+)+|seed)=(-?\d{1,18}|[a-z]+|\d+\.\d+)")
WORDS = {"true": True, "false": False, "null": None, "nan": math.nan, "inf": math.inf}


class Arguments:
    """The words of a command line, as `python -m lenet.run` reads and checks them before it does anything."""

    name = "command lines"

    def __init__(self) -> None:
        self.keys = [*flatten(compose_config()), *GROUPS]
        self.seeds: list[Words] = [
            ("optimizer.lr=0.1",),
            ("optimizer=sgd", "schedule=cosine", "seed=3", "trainer.epochs=2"),
            ("optimizer.lr=0.01,0.1", "-m"),
            ("data=npz", "data.images=x.npz", "network.activation=tanh", "+optimizer.clip_norm=1"),
            ("network.layers.0.channels=3", "trainer.early_stopping=5", "--cfg", "job"),
        ]

    def mutate(self, random: Random, base: Words, other: Words) -> Words:
        """Replace, add, double or leave out a word; sometimes change characters of one."""
        if base and random.random() < 0.15:
            at = random.randrange(len(base))
            data = mutate_bytes(random, base[at].encode("utf-8", "surrogatepass"), b"=,.[]{}()'\"$\\+~@: ")
            return (*base[:at], data.decode("utf-8", "surrogateescape")[:20_000], *base[at + 1 :])
        words = replace_one(random, base, [self._word(random) for _ in range(3)])
        if "(" in "".join(words) and random.random() < 0.7:
            words.append("-m")
        return tuple(words[:6])

    def _word(self, random: Random) -> str:
        if random.random() < 0.15:
            return random.choice(FLAGS)
        key = random.choice(ODD_KEYS) if random.random() < 0.2 else random.choice(self.keys)
        values = OPTIONS if key in GROUPS and random.random() < 0.8 else VALUES
        prefix, sign = random.choice(["", "", "", "", "", "+", "++", "~"]), random.choice(["="] * 12 + ["", ":=", "=="])
        return f"{prefix}{key}{sign}{random.choice(values)}"

    def read(self, content: Words) -> tuple[CommandLine, list[Plan]]:
        command = read(content)
        return command, [build(job.config) for job in command.jobs] if command.is_run else []

    def names(self, content: Words) -> list[str]:
        keys = [word.lstrip("+~").partition("=")[0].partition("@")[0] for word in content]
        return ["`", "--", "tracking.uri", *(key for key in keys if len(key) > 1)]

    def check(self, content: Words, result: tuple[CommandLine, list[Plan]]) -> None:
        """Hold every job's plan to what a run needs, and what was plainly asked for to what it has."""
        command, plans = result
        assert command.is_sweep or len(command.jobs) <= 1
        asked = {match[1]: match[2] for match in map(PLAIN.fullmatch, content) if match}
        simple = all(PLAIN.fullmatch(word) for word in content)
        for plan in plans:
            check_plan(plan)
            for key, text in asked.items() if simple else ():
                expected = WORDS.get(text, text) if text.isalpha() else float(text)
                assert flatten(plan.config | {"sweep": {}})[key] == expected


class YamlFile:
    """An experiment of the user's own, in a folder that `--config-dir` names."""

    name = "YAML files of the user's own"

    def __init__(self, place: Path) -> None:
        (place / "experiment").mkdir()
        self.path = place / "experiment/mine.yaml"
        self.arguments = ["--config-dir", str(place), "experiment=mine"]
        head = "# @package _global_\n"
        ours = [path for path in sorted(folder("experiments").glob("*.yaml")) if path.stem != "search"]  # an extra's
        self.seeds = [head + path.read_text(encoding="utf-8") for path in ours]
        self.seeds.append(f"{head}defaults:\n  - override /optimizer: sgd\n\nseed: 3\noptimizer: {{lr: 0.5}}\n")

    def mutate(self, random: Random, base: str, other: str) -> str:
        if random.random() < 0.05:
            return f"{base}\n{laughs(random.choice([2, 9, 30]))}"
        return (
            f"# @package _global_\n{mutate_tree(random, base)}"
            if random.random() < 0.4
            else mutate_text(random, base, other)
        )

    def read(self, content: str) -> list[Plan]:
        self.path.write_text(content, encoding="utf-8", errors="surrogatepass")
        return [build(job.config) for job in read(self.arguments).jobs]

    def names(self, content: str) -> list[str]:
        return ["`", "mine", "tracking.uri"]

    def check(self, content: str, plans: list[Plan]) -> None:
        for plan in plans:
            check_plan(plan)


def laughs(levels: int) -> str:
    """Return some lines of YAML that stand for ten to the power of `levels` words."""
    lines = ["x0: &x0 [ha]"]
    lines += [f"x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 10)}]" for level in range(1, levels + 1)]
    return "\n".join(lines) + "\n"


def everything(target: Arguments) -> list[Any]:
    """Return a command line for every odd key and value, each alone."""
    return [
        *[(f"{key}=1",) for key in ODD_KEYS],
        *[(f"seed={value}", "-m") for value in VALUES],
        *[(flag,) for flag in FLAGS],
    ]
