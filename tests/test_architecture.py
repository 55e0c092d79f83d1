"""Imports point one way, and each outside library that is heavy or replaceable has one home."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import lenet

ROOT = Path(lenet.__file__).parent

# From the bottom up: a part imports only from rows above its own, and from its own package.
ORDER = [
    {"errors", "callbacks", "initializers", "plots"},
    {"common"},
    {"arrays", "checkpoint", "schedules", "tracking"},
    {"layers", "losses", "optimizers", "data", "reports"},
    {"network"},
    {"training"},
    {"configuration"},
    {"recorded", "checking", "command_line"},
    {"running"},
    {"sweeps", "inference", "repeating"},
    {"result"},
    {"library"},
    {"run", "resume", "reproduce", "evaluate", "predict", "compare", "check", "runs", "disk", "deliver"},
    {"__main__"},
]
HYDRA = {
    "configuration.composition",
    "configuration.config",
    "configuration.diagnosis",
    "configuration.releases",
    "configuration.sweeper",
    "sweeps.clusters",
    "sweeps.jobs",
    "sweeps.launcher",
}
# The packages and modules that may import an outside library, and do.
HOMES = {
    "mlflow": {"tracking", "inference.serving"},
    "matplotlib": {"plots"},
    "cupy": {"arrays.gpu"},
    "hydra": HYDRA
    | {f"configuration.{name}" for name in ("construct", "hydra_setup", "search")}
    | {"command_line.suggestions"},
    "omegaconf": HYDRA | {"configuration.folders"},
    "optuna": {"configuration.search"},
    "ray": {"sweeps.clusters"},
    "submitit": {"sweeps.clusters"},
    "hydra_plugins": {"sweeps.clusters"},
    "pooch": {"data"},
    "PIL": {"data"},
    "scipy": {"data", "reports.pairwise"},
}


def modules() -> dict[str, Path]:
    paths = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in ROOT.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in sorted(paths.items())}


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports() -> list[tuple[str, str]]:
    """Return (importing module, imported module) for every import in the package, also those inside functions."""
    known, found = modules(), []
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [(name, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                found += [(name, module if module in known else str(node.module)) for module in inner]
    return found


OWN = sorted({(home, module) for home, module in imports() if module.startswith("lenet.")})


def test_every_part_has_its_place():
    assert {part(name) for name in modules()} - {""} == set().union(*ORDER)


@pytest.mark.parametrize(("home", "module"), sorted({(part(home), part(module)) for home, module in OWN}))
def test_imports_point_one_way(home, module):
    level = {name: number for number, row in enumerate(ORDER) for name in row}
    assert home in ("", module) or level[module] < level[home]


def test_no_module_imports_one_that_imports_it():
    graph = {name: {module for home, module in OWN if home == name} for name in modules()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names them


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_its_home(library):
    users = {home.removeprefix("lenet.") for home, module in imports() if module.split(".")[0] == library}
    homes = {user: next((home for home in HOMES[library] if f"{user}.".startswith(f"{home}.")), user) for user in users}
    assert set(homes.values()) == HOMES[library]


def test_the_page_on_the_code_names_what_there_is():
    text = (ROOT.parent / "docs/architecture.md").read_text(encoding="utf-8")
    named, there = set(re.findall(r"\w+\.py", text)), {path.name for path in ROOT.rglob("*.py")}
    assert named <= there | {"test_architecture.py"}
    wholes = {"checking", "clusters", "data", "layers", "optimizers", "pairwise", "plots", "schedules", "tracking"}
    inside = {path.name for path in ROOT.rglob("*.py") if not wholes & set(path.relative_to(ROOT).parts)}
    assert inside - named == {"__init__.py"}
