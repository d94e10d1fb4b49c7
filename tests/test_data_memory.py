"""Data of any size: what a picture takes in memory."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="anonymous memory is told by Linux alone")
def test_a_picture_takes_fewer_than_300_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(sys, "path", [str(ROOT / "src"), *sys.path])
    import data_memory

    assert data_memory.growth(tmp_path, 30_000, "list") < data_memory.LIMIT == 300
