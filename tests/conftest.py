"""What every test shares: one thread, a fixed seed, no network, and the way to the real data."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

from tiny_training import draw_colors

pytest_plugins = ["works", "pytester"]
FLAGS = ["--no-sandbox", "--use-fake-device-for-media-stream"]


@pytest.fixture(autouse=True)
def _steady() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real pictures and weights, from MOBILEVISION_DATA (default: ../shared/data beside the checkout)."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MOBILEVISION_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real data is not at {folder}; set MOBILEVISION_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three classes of small pictures that differ in color."""
    return draw_colors(tmp_path_factory.mktemp("colors"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium with a camera that shows a test picture."""
    reason = "playwright is not installed; run: pip install playwright && playwright install chromium"
    api = pytest.importorskip("playwright.sync_api", reason=reason)
    with api.sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        names = ("chromium", "chromium-browser", "google-chrome")
        path = own if Path(own).is_file() else next(filter(None, map(shutil.which, names)), None)
        if path is None:
            pytest.skip("there is no Chromium; run: playwright install chromium")
        with playwright.chromium.launch(executable_path=path, args=FLAGS) as opened:
            yield opened
