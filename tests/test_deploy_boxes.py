"""Detectors in files: boxes are decoded and chosen as torch does, or all are given to be chosen from."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mobilevision.blocks import RetinaNetLite, SSDLite
from mobilevision.deploy.apart import boxes_apart
from mobilevision.deploy.base import FP32
from mobilevision.deploy.boxes import Choose, Detector
from mobilevision.deploy.filing import filing_
from mobilevision.deploy.formats import find_format
from mobilevision.deploy.handover import convert
from mobilevision.deploy.interface import Interface
from mobilevision.deploy.onnx import ONNX
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.proof import file_scores
from mobilevision.deploy.ranges import Rounding, minmax
from mobilevision.deploy.runtime import open_file
from mobilevision.deploy.runtime import scores as run_file
from mobilevision.errors import InputError
from mobilevision.network import Network
from mobilevision.tasks import decoder
from mobilevision.tasks.catalog import read_filed
from mobilevision.tasks.detect import Detect
from mobilevision.tasks.filed import FiledDetect
from mobilevision.tasks.precision import Found
from mobilevision.tasks.styles import Focal, MultiBox
from tiny_dense import BACKBONE, DETECTORS, LABELS, SIDE, lively


def same(ours: Found, theirs: Found, *, most: int) -> None:
    """The best boxes are the same, in the same order."""
    assert len(ours.scores) >= most
    torch.testing.assert_close(ours.scores[:most], theirs.scores[:most], atol=1e-5, rtol=1e-4)
    assert ours.labels[:most].tolist() == theirs.labels[:most].tolist()
    torch.testing.assert_close(ours.boxes[:most], theirs.boxes[:most], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("head", DETECTORS, ids=["ssdlite", "retinanet"])
@torch.no_grad()
def test_a_files_boxes_are_those_that_torch_tells(head: SSDLite | RetinaNetLite) -> None:
    task = Detect(LABELS)
    network = lively(Network(BACKBONE.with_head(head), 3))
    pictures = torch.randn(2, 3, SIDE, SIDE)
    outputs = network(pictures)
    wanted = task.found(outputs)

    filing = filing_(network, task.facts(), (3, SIDE, SIDE))  # type: ignore[arg-type]
    rows = filing.finished(deployable(network))(pictures)  # type: ignore[arg-type]

    assert rows.shape == (2, min(600, 3 * len(outputs["anchors"])), 6)
    for found, theirs in zip(FiledDetect.read(task.facts()).found(rows), wanted, strict=True):
        same(found, theirs, most=20)


def test_a_class_that_crowds_a_picture_does_not_crowd_out_another() -> None:
    task, count = Detect(LABELS), 400
    left = torch.arange(count) / count
    anchors = torch.stack([left, torch.zeros(count), left + 1 / count, torch.ones(count)], 1)  # side by side
    scores = torch.full((1, count, 3), -20.0)
    scores[..., 0], scores[0, 7, 1] = 2.0, 0.0
    rows = Choose(task, Focal(), anchors)(scores, torch.zeros(1, count, 4))

    (crowd,) = FiledDetect(LABELS, most=count + 1).found(rows)
    assert crowd.labels.tolist() == [0] * count + [1]
    assert len(FiledDetect(LABELS).found(rows)[0].labels) == task.most


class Said(nn.Module):
    """What a detector says, told by the picture itself."""

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Shape: (N, 3, 16, 16) -> (N, 96, 4), (N, 96, 4)."""
        numbers = pictures.flatten(1).unflatten(1, (2, 96, 4))
        return numbers[:, 0] * 2, numbers[:, 1]


def test_an_onnx_file_chooses_boxes_by_the_formats_own_operator_just_as_torch_does(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    anchors = torch.rand(96, 2).repeat(1, 2) * 0.6 + torch.tensor([0.0, 0, 0.3, 0.3])
    task, pictures = Detect(LABELS, least=0.2, candidates=40, most=50), torch.randn(5, 3, 16, 16)
    scores, offsets = Said()(pictures)
    wanted = task.found({"scores": scores, "boxes": offsets, "anchors": anchors})

    ONNX.export(Detector(Said(), Choose(task, MultiBox(), anchors)), (3, 16, 16), {}, tmp_path / "file.onnx", FP32)

    assert "NonMaxSuppression" in ONNX.operators(tmp_path / "file.onnx")
    rows = run_file(open_file(tmp_path / "file.onnx"), pictures.numpy())
    assert rows.shape == (5, 50, 6)
    for found, theirs in zip(FiledDetect.read(task.facts()).found(torch.from_numpy(rows)), wanted, strict=True):
        assert len(found.scores) == len(theirs.scores) > 20
        same(found, theirs, most=len(theirs.scores))


def test_a_box_stays_if_what_covers_it_is_covered_itself() -> None:
    filing = Detect(("a",), overlap=0.4)
    boxes = torch.tensor([[[0.0, 0, 0.5, 1], [0.2, 0, 0.7, 1], [0.4, 0, 0.9, 1], [0.6, 0, 1.1, 1]]])
    network = lively(Network(BACKBONE.with_head(DETECTORS[0]), 1))
    detector = filing_(network, filing.facts(), (3, SIDE, SIDE)).finished(network)  # type: ignore[arg-type]
    choose = detector.choose

    assert choose.stays(boxes).tolist() == [[1, 0, 1, 0]]  # type: ignore[operator]


@pytest.mark.parametrize("head", DETECTORS, ids=["ssdlite", "retinanet"])
@torch.no_grad()
def test_a_raw_file_gives_every_box_and_the_decoder_chooses_as_torch_does(head: SSDLite | RetinaNetLite) -> None:
    task = Detect(LABELS)
    network = lively(Network(BACKBONE.with_head(head), 3))
    pictures = torch.randn(2, 3, SIDE, SIDE)
    outputs = network(pictures)
    wanted = task.found(outputs)

    card = task.facts() | Interface(raw=True).card()
    rows = filing_(network, card, (3, SIDE, SIDE)).finished(deployable(network))(pictures)  # type: ignore[arg-type]

    assert rows.shape == (2, len(outputs["anchors"]), 4 + 3)
    read = read_filed(card)
    assert boxes_apart(read, rows, outputs) < 1e-5
    for found, theirs in zip(read.found(rows), wanted, strict=True):  # type: ignore[attr-defined]
        same(found, theirs, most=len(theirs.scores))
    with pytest.raises(InputError, match="export again"):
        read.found(rows[..., :6])  # type: ignore[attr-defined]


def test_a_report_can_show_the_decoder_whole_for_it_needs_numpy_alone() -> None:
    shown: dict[str, Any] = {}
    exec(inspect.getsource(decoder), shown)  # as an app would copy it

    best, twin, other = (
        [0.1, 0.1, 0.5, 0.5, 0.9, 0.0],
        [0.1, 0.1, 0.5, 0.52, 0.8, 0.7],
        [0.6, 0.6, 0.9, 0.9, 0.0005, 0.3],
    )
    found = shown["decode"](np.array([best, twin, other]))
    assert found[:, 5].tolist() == [0, 1, 1], "a box of another class is covered by none"
    np.testing.assert_allclose(found[:, 4], [0.9, 0.7, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found[0, :4], best[:4], rtol=1e-6)
    assert shown["decode"](np.zeros((4, 6))).shape == (0, 6)


@torch.no_grad()
def test_boxes_are_held_against_all_that_torch_says_in_whatever_order() -> None:
    task = Detect(LABELS)
    network = lively(Network(BACKBONE.with_head(DETECTORS[0]), 3))
    pictures = torch.randn(2, 3, SIDE, SIDE)
    outputs = network(pictures)
    rows = filing_(network, task.facts(), (3, SIDE, SIDE)).finished(network)(pictures)  # type: ignore[arg-type]
    read = read_filed(task.facts())

    assert boxes_apart(read, rows, outputs) < 1e-5
    assert boxes_apart(read, rows.flip(1), outputs) < 1e-5
    moved = rows.clone()
    moved[1, 0, 4] += 0.25
    assert boxes_apart(read, moved, outputs) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("head", DETECTORS, ids=["ssdlite", "retinanet"])
@torch.no_grad()
def test_a_program_of_integers_chooses_among_boxes_in_float(head: SSDLite | RetinaNetLite) -> None:
    pytest.importorskip("torchao")
    from mobilevision.deploy.executorch import taken_whole
    from mobilevision.deploy.rounding import integer_program

    network, pictures = lively(Network(BACKBONE.with_head(head), 3)), torch.randn(1, 3, SIDE, SIDE)
    wanted = Detect(LABELS).found(network(pictures))[0]
    filing = filing_(network, Detect(LABELS).facts(), (3, SIDE, SIDE))  # type: ignore[arg-type]
    ready = filing.finished(deployable(network))  # type: ignore[arg-type]

    rows = integer_program(taken_whole(ready), pictures.numpy(), Rounding(minmax))(pictures)

    (found,) = FiledDetect(LABELS).found(rows)
    assert len(found.boxes[:50].unique()) > 100  # a grid of 256 would have fewer sides
    assert abs(found.scores[:20].mean() - wanted.scores[:20].mean()) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("to", ["litert", "onnx", "openvino", "executorch"])
@pytest.mark.parametrize("head", DETECTORS, ids=["ssdlite", "retinanet"])
@torch.no_grad()
def test_a_raw_file_of_every_format_gives_what_torch_gives(
    head: SSDLite | RetinaNetLite, to: str, tmp_path: Path
) -> None:
    task, format_ = Detect(LABELS), find_format(to)
    network = lively(Network(BACKBONE.with_head(head), 3))
    pictures = torch.randn(1, 3, SIDE, SIDE)
    card = task.facts() | {"raw": True, "labels": list(LABELS), "format": to, "precision": "fp32"}
    with format_.writing(tmp_path / f"tiny{format_.suffix}") as beside:
        convert(network, (SIDE, SIDE), card=card, to=beside, seconds=300)
    found, _ = file_scores(tmp_path / f"tiny{format_.suffix}", pictures.numpy(), seconds=100)
    filing = filing_(network, card, (3, SIDE, SIDE))  # type: ignore[arg-type]

    wanted = filing.finished(network)(pictures)
    torch.testing.assert_close(torch.from_numpy(found), wanted, atol=1e-4, rtol=0)


def test_rows_of_another_length_are_no_boxes() -> None:
    with pytest.raises(InputError, match="not rows of 6"):
        FiledDetect(LABELS).found(torch.zeros(1, 10, 5))
