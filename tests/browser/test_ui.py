"""The MLflow UI as it is used after a sweep, in a real browser (headless Chromium).

With `LENET_SCREENSHOTS=FOLDER` what is seen is kept there (`make screenshots`).
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from PIL import Image

from tests.conftest import environment

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("no Chromium (Debian's package chromium) on the PATH", allow_module_level=True)
playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed (`make test-extras` does it)"
)
expect = playwright.expect

FLAGS = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
PATIENCE = 60_000
"""Milliseconds for what a page shows."""
LARGEST = 120_000
"""Bytes of a screenshot."""


@dataclass
class Sweep:
    """A sweep of two runs: the address it printed, its runs' ids by name, their folder, and where the UI runs."""

    address: str
    runs: dict[str, str]
    store: Path
    server: str

    def page(self, path: str) -> str:
        return f"{self.server}/#/experiments/1/runs{path}"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    """Run the README's sweep, shorter, and `mlflow ui` in the same folder."""
    folder = tmp_path_factory.mktemp("sweep")
    command = [sys.executable, "-m", "lenet.run", "optimizer.lr=0.005,0.01", "trainer.epochs=3", "-m"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    address = next(line for line in done.stdout.splitlines() if line.startswith("http://"))
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("lenet").experiment_id])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = f"http://127.0.0.1:{port}"
    ui = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "ui", "--port", str(port), "--workers", "1"],
        cwd=folder,
        env=environment() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(f"{server}/health", ui)
        runs = {run.info.run_name: run.info.run_id for run in found}
        yield Sweep(address.replace("http://127.0.0.1:5000", server), runs, folder / "mlruns/1", server)
    finally:
        os.killpg(ui.pid, 9)
        ui.wait()


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"{url} did not answer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=[f"--{flag}" for flag in FLAGS])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1400, "height": 860})
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    yield page
    page.close()
    assert not failed


def row(page: Any, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def curves(page: Any, metric: str, runs: int) -> set[str]:
    """Return the lines of the one chart of a metric, of which each run has one, as paths."""
    page.get_by_placeholder("Search metric charts").fill(metric)
    charts = page.locator(".js-plotly-plot")
    expect(charts).to_have_count(1)
    page.wait_for_function(
        f"new Set([...document.querySelectorAll('path.js-line')].map(l => l.outerHTML)).size >= {runs}"
    )
    lines = set(charts.locator("path.js-line").evaluate_all("lines => lines.map(line => line.getAttribute('d'))"))
    assert len(lines) == runs
    return lines


def keep(page: Any, name: str) -> None:
    """Keep what is seen, in few colours, where screenshots are asked for."""
    if folder := os.environ.get("LENET_SCREENSHOTS"):
        close = page.get_by_role("button", name="Close", exact=True)
        if close.count():  # a panel that lies beside what is looked at
            close.first.click()
        page.wait_for_timeout(1500)  # for charts to take the place
        picture = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(64, dither=Image.Dither.NONE)
        path = Path(folder) / f"{name}.png"
        picture.save(path, optimize=True)
        assert path.stat().st_size < LARGEST


def test_the_address_that_a_sweep_prints_shows_its_runs_and_their_curves(page: Any, sweep: Sweep) -> None:
    page.goto(sweep.address)
    expect(page.get_by_text(re.compile("2\\s+matching runs"))).to_be_visible()
    for name in ("lr=0.005", "lr=0.01"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    lines = curves(page, "val/accuracy", 2)
    assert all(line.count("L") == 2 for line in lines)  # three epochs
    page.get_by_placeholder("Search metric charts").fill("(train|val)/")
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    keep(page, "sweep")


def test_a_parent_is_found_with_its_children_below_it(page: Any, sweep: Sweep) -> None:
    page.goto(sweep.page("?workflowType=machine_learning"))
    parent = row(page, "sweep lr=0.005,0.01")
    expect(parent).to_have_count(1)
    expect(row(page, "lr=0.01")).to_have_count(0)
    parent.get_by_role("button").first.click()
    for name in ("lr=0.005", "lr=0.01"):
        expect(row(page, name)).to_have_count(1)


def test_children_are_compared(page: Any, sweep: Sweep) -> None:
    page.goto(sweep.page("?workflowType=machine_learning"))
    row(page, "sweep lr=0.005,0.01").get_by_role("button").first.click()
    for name in ("lr=0.005", "lr=0.01"):
        row(page, name).get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text("Comparing 2 Runs from 1 Experiment")).to_be_visible()
    lines = page.locator(".js-plotly-plot .parcoords")
    expect(lines).not_to_have_count(0)
    rates = page.get_by_role("row").filter(has=page.get_by_text("optimizer.lr", exact=True))
    expect(rates.first).to_contain_text("0.005")
    expect(rates.first).to_contain_text("0.01")
    keep(page, "comparison")


def test_a_runs_metrics_are_drawn(page: Any, sweep: Sweep) -> None:
    page.goto(sweep.page(f"/{sweep.runs['lr=0.01']}/model-metrics"))
    (line,) = curves(page, "train/loss", 1)
    assert line.count("L") == 2


@pytest.mark.parametrize(
    ("name", "figure"),
    [("lr=0.01", "curves"), ("lr=0.01", "confusion_matrix"), ("lr=0.01", "filters"), ("sweep lr=0.005,0.01", "sweep")],
)
def test_figures_are_displayed(name: str, figure: str, page: Any, sweep: Sweep) -> None:
    page.goto(sweep.page(f"/{sweep.runs[name]}/artifacts/figures/{figure}.png"))
    picture = page.get_by_role("img", name=f"figures/{figure}.png")
    expect(picture).to_be_visible()
    width = picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)")
    with Image.open(sweep.store / sweep.runs[name] / f"artifacts/figures/{figure}.png") as drawn:
        assert width == drawn.width
    if figure == "curves":
        keep(page, "run_figures")
