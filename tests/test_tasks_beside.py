"""What stands beside a network's figures: baselines that need no training, and the ceiling of a grid."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mobilevision.architecture import Arch
from mobilevision.blocks import LRASPP, Conv, SSDLite
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.data.shapes import write_shapes
from mobilevision.network import Network
from mobilevision.tasks.beside import Asked, otsu, pixels
from mobilevision.tasks.catalog import check_data, make_task, stands_beside

SIDE = 64
BACKBONE = Arch("tiny", ((Conv(8, 2), Conv(8, 2), Conv(8, 2)), (Conv(8, 2), Conv(8, 2))), size=SIDE)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, {"train": 12, "val": 6})
    return folder


def asked(shapes: Path, task: str, network: nn.Module) -> Asked:
    data = check_data(task, shapes)
    preprocessing = Preprocessing((SIDE, SIDE), crop=1.0)
    return Asked(make_task(task, data.labels), data.train, data.validation, preprocessing, network)


def test_a_coarser_grid_has_a_lower_ceiling_and_the_finest_has_none(shapes: Path) -> None:
    found = {}
    for stride in (4, 8, 16):
        network = Network(BACKBONE.with_head(LRASPP(8, stride=stride)), 4)
        (row,) = stands_beside(asked(shapes, "segment", network))
        assert f"stride {stride}" in row["what"]
        found[stride] = row["miou"]

    assert found[16] < found[8] < found[4]
    assert 0.9 < found[4] < 1
    (whole,) = stands_beside(asked(shapes, "segment", _Whole()))
    assert whole["miou"] > 0.999


def test_the_mean_box_of_every_class_finds_next_to_nothing(shapes: Path) -> None:
    (row,) = stands_beside(asked(shapes, "detect", Network(BACKBONE.with_head(SSDLite((8, 8))), 3)))

    assert 0 <= row["map"] <= row["map50"] < 0.3
    assert {each["label"] for each in row["per_class"]} == {"circle", "square", "triangle"}


def test_otsus_threshold_takes_the_smaller_side_for_the_object() -> None:
    pictures = torch.full((2, 3, 16, 16), 0.2) + torch.rand(2, 3, 16, 16) * 0.05
    pictures[:, :, 4:9, 4:9] += 0.6
    pictures[1] = 1 - pictures[1]  # dark on light

    said = otsu(pictures).argmax(1)

    assert said.shape == (2, 16, 16)
    assert said[:, 4:9, 4:9].all()
    assert said.sum() == 2 * 25


def test_pixels_do_not_care_where_ink_lies_nor_whether_it_is_dark() -> None:
    drawing = torch.zeros(3, 40, 40)
    drawing[:, 5:20, 8:11] = 1
    drawing[:, 5:8, 8:18] = 1
    moved = drawing.roll((15, 12), (1, 2))
    other = torch.zeros(3, 40, 40)
    other[:, 5:20, 5:20] = 1

    first, second, dark, third = pixels(torch.stack([drawing, moved, 1 - drawing, other]))

    assert first @ second == pytest.approx(1, abs=1e-5)
    assert first @ dark == pytest.approx(1, abs=1e-5)
    assert first @ third < 0.9
    assert pixels(torch.zeros(1, 3, 8, 8)).isfinite().all()


class _Whole(nn.Module):
    """Scores for every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Conv2d(3, 4, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Shape: (N, 3, H, W) -> (N, 4, H, W)."""
        scores: torch.Tensor = self.scores(pictures)
        return scores
