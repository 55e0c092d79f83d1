"""Imports point one way, and each outside library that is heavy or replaceable has one home."""

import ast
from pathlib import Path

import pytest

import lenet

ROOT = Path(lenet.__file__).parent

# From the bottom up: a part imports only from rows above its own, and from its own package.
ORDER = [
    {
        "errors",
        "completion",
        "validation",
        "random",
        "files",
        "flatten",
        "signals",
        "blas",
        "pool",
        "rate_range",
        "tables",
        "zipped",
    },
    {"trust", "stored_yaml", "stored_json", "aliases"},
    {"identity", "extras", "releases"},
    {"gpu"},
    {"backend"},
    {"memory", "draws"},
    {
        "layers",
        "losses",
        "initializers",
        "optimizers",
        "schedules",
        "data",
        "checkpoint",
        "plots",
        "tracking",
        "environment",
        "callbacks",
    },
    {"network", "meta"},
    {"training"},
    {"diagnosis", "folders", "search", "sweeper"},
    {"composition"},
    {"config"},
    {"suggestions"},
    {"construct"},
    {"build"},
    {"workbench"},
    {"session", "stored"},
    {"observation", "telling", "trained"},
    {
        "progress",
        "figures",
        "comparison",
        "summary",
        "range_test",
        "choosing",
        "pairwise",
        "usage",
        "overview",
        "checking",
        "extension",
        "surroundings",
        "differences",
        "prediction",
        "matching",
        "scoring",
    },
    {"evaluation", "result"},
    {"scorecard"},
    {"continuation"},
    {"recording", "publishing"},
    {"experiment"},
    {"reproduction", "library"},
    {"jobs"},
    {"launcher", "answer"},
    {"clusters"},
    {"sweep"},
    {"command", "arguments", "serving"},
    {"run", "check", "compare", "runs", "disk", "resume", "reproduce", "deliver", "predict", "evaluate"},
    {"__main__"},
]
# These know nothing of the others in their row.
APART = {"optimizers", "schedules", "data", "checkpoint", "plots", "tracking", "environment", "initializers"}
HOMES = {
    "mlflow": {"tracking", "serving"},
    "matplotlib": {"plots"},
    "cupy": {"gpu"},
    "hydra": {
        "clusters",
        "composition",
        "config",
        "construct",
        "diagnosis",
        "jobs",
        "launcher",
        "releases",
        "search",
        "suggestions",
        "sweeper",
    },
    "omegaconf": {
        "clusters",
        "composition",
        "config",
        "diagnosis",
        "folders",
        "jobs",
        "launcher",
        "releases",
        "sweeper",
    },
    "optuna": {"search"},
    "ray": {"clusters"},
    "submitit": {"clusters"},
    "hydra_plugins": {"clusters"},
    "pooch": {"data"},
    "PIL": {"data"},
    "scipy": {"data", "pairwise"},
}


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports() -> list[tuple[str, str]]:
    """Return (importing part, imported module) for every import in the package, also those inside functions."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        home = path.relative_to(ROOT).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [(home, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                names = [f"lenet.{a.name}" for a in node.names] if node.module == "lenet" else [str(node.module)]
                found += [(home, name) for name in names]
    return found


def test_every_part_has_its_place():
    parts = {
        p.stem if p.suffix == ".py" else p.name
        for p in ROOT.iterdir()
        if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert parts - {"__init__"} == set().union(*ORDER)


@pytest.mark.parametrize(("home", "module"), sorted({i for i in imports() if i[1].startswith("lenet.")}))
def test_imports_point_one_way(home, module):
    level = {name: number for number, row in enumerate(ORDER) for name in row}
    target = part(module)
    if home in ("__init__", target):
        return
    assert level[target] <= level[home]
    if level[target] == level[home]:
        assert target not in APART
        assert home not in APART


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_its_home(library):
    users = {home for home, module in imports() if module.split(".")[0] == library}
    assert users == HOMES[library]
