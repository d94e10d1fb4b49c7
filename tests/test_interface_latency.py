"""The benchmark of files' doors compares what is the same, and times what it says."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.base import Array, Port

ROOT = Path(__file__).resolve().parents[1]
SIDE = 8
PIXELS = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(sys, "path", [str(ROOT / "src"), *sys.path])
    import interface_latency

    return interface_latency


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("way", ["usual", "careful"])
def test_a_program_prepares_a_picture_as_training_does(doors: ModuleType, way: str, last: bool) -> None:
    wanted = Preprocessing((SIDE, SIDE)).scaled(torch.from_numpy(PIXELS).permute(2, 0, 1))[None]
    given = getattr(doors, way)(PIXELS, last)
    np.testing.assert_allclose(given, wanted.permute(0, 2, 3, 1) if last else wanted, atol=1e-6)
    assert given.flags.c_contiguous
    assert given.dtype == np.float32


class Told:
    """Stands for an open file whose scores are the means of a picture's channels."""

    def __init__(self, dtype: str) -> None:
        self.inputs = (Port("image", (1, SIDE, SIDE, 3), dtype, "NHWC"),)

    def __call__(self, pictures: Array) -> Array:
        assert pictures.shape == self.inputs[0].shape
        assert pictures.dtype == self.inputs[0].dtype
        bytes_in = pictures.dtype == np.uint8
        prepared = Preprocessing().scaled(torch.from_numpy(pictures).permute(0, 3, 1, 2)) if bytes_in else None
        means = prepared.mean((2, 3)) if prepared is not None else torch.from_numpy(pictures).mean((1, 2))
        return (means.softmax(1) if bytes_in else means).numpy()


def test_both_files_of_a_pair_are_given_the_same_picture_in_every_way(
    doors: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "opened", lambda files, chance: [Told("float32"), Told("uint8")])
    found = doors.race(["tiny_ours_fp32.tflite", "tiny_bytes_fp32.tflite"], 3, 0)
    assert found["apart"]["fp32"] < 1e-6
    assert np.shape(found["laps"]) == (len(doors.entrants([("ours", "fp32"), ("bytes", "fp32")])), 3)
    assert (np.array(found["laps"]) > 0).all()


def test_a_page_has_a_row_for_each_pair_that_was_raced(doors: ModuleType) -> None:
    found = doors.facts("mobilenetv2_100", "onnx", laps(doors), 0.5, pairs=doors.PAIRS)
    medians = {" ".join(entrant): float(np.median(each)) for entrant, each in laps(doors).items()}
    page = doors.page({"mobilenetv2_100 onnx": found | {"median_ms": medians, "apart": {"fp32": 2e-7}}})
    assert "| mobilenetv2_100, 224 px | onnx | fp32 | 3.00, 2.00, 1.00 | 0.90, 0.80 | 0.300 [0.300, 0.300] |" in page
    assert "int8 |" not in page


def laps(doors: ModuleType) -> dict[tuple[str, ...], Array]:
    ways = (("ours", "alone", 1.0), ("ours", "usual", 3.0), ("ours", "careful", 2.0))
    ways += (("bytes", "alone", 0.8), ("bytes", "whole", 0.9))
    return {(side, "fp32", way): np.full(40, ms) for side, way, ms in ways}
