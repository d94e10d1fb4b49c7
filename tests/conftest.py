"""What every test shares: one thread, a fixed seed, no network, and the way to the real data."""

import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

from tiny_training import draw_colors


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
