"""Masks in files, and the heads of detectors and segmenters in integers: tails stay in float."""

import pytest
import torch
from torch import nn

from mobilevision.blocks import LRASPP, DeepLabV3, SSDLite
from mobilevision.deploy.apart import masks_apart
from mobilevision.deploy.base import FP32, INT8
from mobilevision.deploy.equalize import correct_, equalize_
from mobilevision.deploy.filing import filing_, given
from mobilevision.deploy.integers import form_for, integer_form
from mobilevision.deploy.interface import Interface
from mobilevision.deploy.litert import LITERT
from mobilevision.deploy.measured import MeasuredProof
from mobilevision.deploy.onnx import ONNX
from mobilevision.deploy.parted import Parted
from mobilevision.deploy.prepare import FoldedTower, deployable
from mobilevision.deploy.ranges import Rounding, minmax
from mobilevision.deploy.tails import Operation, tail
from mobilevision.errors import ShortfallError, UsageError
from mobilevision.layers import Conv2d
from mobilevision.network import Network
from mobilevision.tasks.catalog import read_filed
from mobilevision.tasks.detect import Detect
from mobilevision.tasks.filed import FiledSegment
from mobilevision.tasks.segment import Segment
from tiny_dense import BACKBONE, DETECTORS, LABELS, SEGMENTERS, SIDE, lively


def test_what_a_tasks_files_do_not_give_is_refused() -> None:
    for task in ("detect", "classify", "embed"):
        with pytest.raises(UsageError, match="only a segmenter's file gives masks"):
            given(task, mask_size="8")
    for task in ("segment", "classify", "embed"):
        with pytest.raises(UsageError, match=f"--raw is for detect, and this run is of {task}"):
            Interface(raw=True).check(ONNX, {"task": task, "multilabel": False})
    Interface(raw=True).check(ONNX, {"task": "detect"})


@torch.no_grad()
def test_wide_scores_are_parted_and_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network = lively(Network(BACKBONE.with_head(DETECTORS[0]), 3))
    pictures = torch.randn(2, 3, SIDE, SIDE)
    filing_(network, Detect(LABELS).facts(), (3, SIDE, SIDE))  # type: ignore[arg-type]
    plain = form_for(network, LITERT, FP32)
    monkeypatch.setattr("mobilevision.deploy.parted.WIDE", 4 * 48 * 24)

    wide = form_for(network, LITERT, FP32)

    count = sum(isinstance(part, Parted) for part in wide.modules())
    assert count > 0
    assert not any(isinstance(part, Parted) for net in (plain, form_for(network, ONNX, FP32)) for part in net.modules())
    assert not any(isinstance(part, Parted) for part in form_for(network, LITERT, INT8).modules())
    for ours, theirs in zip(wide(pictures), plain(pictures), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_mask_is_as_far_from_torch_as_torch_would_rather_have_another_class() -> None:
    task = read_filed(Segment(("background", "nucleus")).facts())
    scores = torch.tensor([[[2.0, 1.0]], [[0.0, 4.0]]])[None]  # (1, classes, 1, 2)

    assert masks_apart(task, torch.tensor([[[0.0, 1.0]]]), scores) == 0
    assert masks_apart(task, torch.tensor([[[1.0, 1.0]]]), scores) == pytest.approx(2 / 4)
    assert masks_apart(task, scores + 0.1, scores) == pytest.approx(0.1 / 4)


@pytest.mark.parametrize("head", SEGMENTERS, ids=["lraspp", "deeplab"])
@pytest.mark.parametrize(("size", "shape"), [("input", (2, 64, 64)), ("8", (2, 4, 8, 8)), ("16", (2, 4, 4, 4))])
@torch.no_grad()
def test_masks_are_given_at_the_size_that_is_asked_for(
    head: LRASPP | DeepLabV3, size: str, shape: tuple[int, ...]
) -> None:
    task = Segment(("background", *LABELS))
    network = lively(Network(BACKBONE.with_head(head), 4))
    pictures = torch.randn(2, 3, SIDE, SIDE)
    wanted = task.decode(network(pictures), sizes=[(SIDE, SIDE)] * 2)

    filing = filing_(network, task.facts() | {"mask_size": size}, (3, SIDE, SIDE))  # type: ignore[arg-type]
    given = filing.finished(deployable(network))(pictures)  # type: ignore[arg-type]
    told = FiledSegment.read(task.facts()).decode(given, sizes=[(SIDE, SIDE)] * 2)

    assert given.shape == shape
    if size == "input":
        agree = [(ours.mask == theirs.mask).double().mean().item() for ours, theirs in zip(told, wanted, strict=True)]
        assert min(agree) > 0.999


@pytest.mark.parametrize("head", [*DETECTORS, *SEGMENTERS], ids=["ssdlite", "retinanet", "lraspp", "deeplab"])
@torch.no_grad()
def test_heads_can_be_prepared_for_integers_and_seen_as_rows_of_classes(head: SSDLite | LRASPP) -> None:
    dense = isinstance(head, (LRASPP, DeepLabV3))
    task = Segment(("background", *LABELS)) if dense else Detect(LABELS)
    network = lively(Network(BACKBONE.with_head(head), task.outputs))
    filing = filing_(network, task.facts(), (3, SIDE, SIDE))  # type: ignore[arg-type]
    exact = deployable(network)  # type: ignore[arg-type]
    pictures = torch.randn(2, 3, SIDE, SIDE)

    rows, whole = (filing.rows(each)(pictures) for each in (exact, integer_form(exact)))

    assert rows.ndim == 2
    torch.testing.assert_close(rows, whole, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_folded_tower_has_no_norms_and_computes_what_the_tower_did() -> None:
    network = lively(Network(BACKBONE.with_head(DETECTORS[1]), 3))
    tower = network.head.near_boxes  # type: ignore[union-attr]
    ready = FoldedTower(tower)  # type: ignore[arg-type]
    maps = [torch.randn(2, 24, side, side) for side in (8, 4, 2, 1, 1)]

    assert any(isinstance(part, nn.BatchNorm2d) for part in tower.modules())
    assert not any(isinstance(part, nn.BatchNorm2d) for part in ready.modules())
    for one, other in zip(ready(maps), tower(maps), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_equalizing_changes_nothing_that_a_detector_says_though_its_maps_share_convolutions() -> None:
    network = lively(Network(BACKBONE.with_head(DETECTORS[1]), 3))
    network.head.near_scores = FoldedTower(network.head.near_scores)  # type: ignore[union-attr,arg-type]
    network.head.near_boxes = FoldedTower(network.head.near_boxes)  # type: ignore[union-attr,arg-type]
    filing_(network, Detect(LABELS).facts(), (3, SIDE, SIDE))  # type: ignore[arg-type]
    exact, pictures = deployable(network), torch.randn(4, 3, SIDE, SIDE)
    wanted = exact(pictures)

    assert equalize_(exact, pictures) > 4
    for found, right in zip(exact(pictures), wanted, strict=True):
        torch.testing.assert_close(found, right, atol=1e-4, rtol=1e-4)


class Shared(nn.Module):
    """Two convolutions that run over `maps` maps, all alike."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.maps = maps
        self.first = Conv2d(8, 8, 3, 1, 1, groups=8)
        self.second = Conv2d(8, 4, 1)
        with torch.no_grad():
            self.first.weight *= torch.logspace(-1, 1, 8)[:, None, None, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape: (N, 8, H, W) -> (N * maps, 4, H, W)."""
        return torch.cat([self.second(self.first(x)) for _ in range(self.maps)])


def test_a_convolution_over_many_maps_is_equalized_as_one_over_a_single_map() -> None:
    one, many = Shared(1), Shared(5)
    fresh = one.first.weight.clone()
    pictures = torch.randn(2, 8, 6, 6)
    assert equalize_(one, pictures) == equalize_(many, pictures) == 1
    assert not torch.allclose(one.first.weight, fresh)
    torch.testing.assert_close(many.state_dict(), one.state_dict())


def test_the_shift_of_a_convolution_over_many_maps_is_not_taken_back_for_each() -> None:
    one, many = Shared(1), Shared(2)
    fresh = one.second.bias.clone()  # type: ignore[union-attr]
    for each in (one, many):
        correct_(each, torch.randn(2, 8, 6, 6))
    assert not torch.equal(one.second.bias, fresh)  # type: ignore[arg-type]
    assert torch.equal(many.second.bias, fresh)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", ["7", "half", ""])
def test_other_sizes_of_masks_are_refused(size: str) -> None:
    task = Segment(("background", "nucleus"))
    network = Network(BACKBONE.with_head(LRASPP(16)), 2)
    filing = filing_(network, task.facts() | {"mask_size": size}, (3, SIDE, SIDE))

    with pytest.raises(UsageError, match="choose input, 4, 8, 16 or 32"):
        filing.finished(network)


def test_what_stands_behind_the_last_convolutions_is_the_tail() -> None:
    chain = [
        Operation("Conv", ("image",), ("a",)),
        Operation("Mul", ("a",), ("b",)),
        Operation("Conv", ("b",), ("c",)),
        Operation("Resize", ("a",), ("d",)),
        Operation("Add", ("c", "d"), ("e",)),
        Operation("ArgMax", ("e",), ("f",)),
    ]

    assert [each.makes[0] for each in tail(chain)] == ["d", "e", "f"]
    assert tail([chain[0], Operation("Reshape", ("a",), ("scores",))]) == []


def test_what_clips_a_convolution_is_not_behind_it() -> None:
    convolution, pool = Operation("Conv", ("image",), ("a",)), Operation("ReduceMean", ("b",), ("c",))

    assert tail([convolution, Operation("Relu", ("a",), ("b",)), pool]) == [pool]
    assert len(tail([convolution, Operation("Resize", ("a",), ("d",)), Operation("Relu", ("d",), ("b",)), pool])) == 3


@torch.no_grad()
def test_a_convolution_is_in_integers_together_with_what_clips_it() -> None:
    pytest.importorskip("torchao")
    from mobilevision.deploy.rounding import integer_program

    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()

    program = integer_program(network, torch.rand(2, 3, SIDE, SIDE).numpy(), Rounding(minmax))

    (clipped,) = [node for node in program.graph.nodes if "relu" in str(node.target)]
    assert ["quantize_per_tensor" in str(reader.target) for reader in clipped.users] == [True]


def test_a_file_that_lost_too_much_is_refused_with_the_figures() -> None:
    proof = MeasuredProof(87, "validation pictures", "map50", 0.78, 0.80, 1.0, "LiteRT")

    assert proof.facts()["passed"] is False
    with pytest.raises(
        ShortfallError, match=r"mAP50 78.0% on 87 pictures where torch has 80.0% \(it may lose 1 points\)"
    ):
        proof.check("x.tflite")
    with pytest.raises(ShortfallError, match="raise the floor"):
        proof.check("x.tflite")
    MeasuredProof(87, "validation pictures", "map50", 0.791, 0.80, 1.0, "LiteRT").check("x.tflite")


@pytest.mark.parametrize("head", [DETECTORS[0], *SEGMENTERS], ids=["ssdlite", "lraspp", "deeplab"])
def test_the_shift_of_rounding_is_taken_back_in_every_head(head: SSDLite | LRASPP) -> None:
    task = Detect(LABELS) if isinstance(head, SSDLite) else Segment(("background", *LABELS))
    network = lively(Network(BACKBONE.with_head(head), task.outputs))
    filing_(network, task.facts(), (3, SIDE, SIDE))  # type: ignore[arg-type]
    exact = integer_form(deployable(network))  # type: ignore[arg-type]
    before = {name: bias.clone() for name, bias in exact.named_parameters() if name.endswith("bias")}

    correct_(exact, torch.randn(4, 3, SIDE, SIDE))

    after = dict(exact.named_parameters())
    assert all(bias.isfinite().all() for bias in after.values())
    assert any(not torch.equal(after[name], bias) for name, bias in before.items())
