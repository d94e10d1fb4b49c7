"""Detection and segmentation: boxes code and match, losses fall, metrics are COCO's."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from mobilevision.architecture import Arch
from mobilevision.blocks import LRASPP, Conv, DeepLabV3, RetinaNetLite, SSDLite
from mobilevision.data.augment import Augment
from mobilevision.data.boxes import read_boxes
from mobilevision.data.masks import read_masks
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.data.scenes import UNKNOWN, Truth
from mobilevision.data.shapes import write_shapes
from mobilevision.errors import InputError, UsageError
from mobilevision.network import Network
from mobilevision.tasks.coding import BACKGROUND, BETWEEN, decode, encode, match
from mobilevision.tasks.detect import Detect
from mobilevision.tasks.precision import Found, average_precision
from mobilevision.tasks.segment import Segment, rolled, unrolled
from mobilevision.tasks.styles import Focal, MultiBox

LABELS = ("circle", "square", "triangle")
BACKBONE = Arch("tiny", ((Conv(16, 2), Conv(16, 2), Conv(24, 2)), (Conv(32, 2), Conv(48, 2))), size=64)
CODES = (MultiBox.code, Focal.code)


def truth(boxes: list[list[float]], labels: list[int], crowd: list[bool] | None = None) -> Truth:
    return Truth(
        torch.tensor(boxes).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.int64),
        torch.tensor(crowd or [False] * len(labels), dtype=torch.bool),
        torch.tensor([480, 640]),
    )


sides = st.floats(0.05, 0.6)
corner = st.floats(0.0, 0.4)


@given(st.tuples(corner, corner, sides, sides), st.tuples(corner, corner, sides, sides), st.sampled_from(CODES))
def test_decoding_undoes_encoding(
    box: tuple[float, ...], anchor: tuple[float, ...], code: tuple[float, float, float, float]
) -> None:
    boxes, anchors = (torch.tensor([[x, y, x + w, y + h]]) for x, y, w, h in (box, anchor))

    again = decode(encode(boxes, anchors, code)[None], anchors, code)[0]

    torch.testing.assert_close(again, boxes, atol=1e-5, rtol=1e-5)


def test_anchors_stand_for_the_box_they_overlap_and_every_box_has_one() -> None:
    anchors = torch.tensor([[0.0, 0, 0.5, 0.5], [0.0, 0, 0.5, 0.36], [0.5, 0.5, 1, 1], [0.05, 0.6, 0.3, 0.9]])
    boxes = torch.tensor([[0.0, 0, 0.5, 0.6], [0.55, 0.55, 0.6, 0.6]])

    place = match(boxes, anchors, high=0.7, low=0.5)

    assert place.tolist() == [0, BETWEEN, 1, BACKGROUND]
    assert match(boxes[:0], anchors, high=0.5, low=0.5).tolist() == [BACKGROUND] * 4


@pytest.mark.parametrize("style", [MultiBox(), Focal()])
def test_the_loss_is_lowest_where_scores_and_boxes_are_right(style: MultiBox | Focal) -> None:
    anchors = torch.tensor([[0.0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0.0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]])
    truths = [truth([[0.0, 0, 0.5, 0.45]], [2]), truth([], [])]
    columns = 3 + isinstance(style, MultiBox)
    right = torch.full((2, 4, columns), -9.0)
    right[..., 0] = 9.0 if columns == 4 else -9.0
    right[0, 0] = F.one_hot(torch.tensor(columns - 1), columns) * 18.0 - 9.0
    boxes = torch.zeros(2, 4, 4)
    boxes[0, 0] = encode(truths[0].boxes, anchors[:1], style.code)[0]

    def loss(scores: Tensor, offsets: Tensor) -> float:
        outputs = {"scores": scores, "boxes": offsets, "anchors": anchors}
        return Detect(LABELS).loss(outputs, truths).item()

    assert loss(right, boxes) < 1e-3
    assert loss(right, boxes + 1) > 1
    assert loss(right.flip(-1), boxes) > 1
    wrong = right.clone()
    wrong[1, 3] = wrong[0, 0]  # an object where the background picture has none
    assert loss(wrong, boxes) > 1


def test_a_crowd_teaches_nothing() -> None:
    outputs = {"scores": torch.randn(1, 4, 4), "boxes": torch.randn(1, 4, 4), "anchors": torch.rand(4, 4).sort(1)[0]}
    box = [0.1, 0.1, 0.4, 0.4]

    alone = Detect(LABELS).loss(outputs, [truth([box], [1])])
    beside = Detect(LABELS).loss(outputs, [truth([box, [0, 0, 1, 1]], [1, 2], [False, True])])

    assert alone == beside


def test_scores_of_other_labels_are_refused() -> None:
    outputs = {"scores": torch.zeros(1, 4, 9), "boxes": torch.zeros(1, 4, 4), "anchors": torch.zeros(4, 4)}

    with pytest.raises(InputError, match="9 columns do not fit 3 labels"):
        Detect(LABELS).found(outputs)


def test_of_boxes_that_cover_each_other_the_best_is_told() -> None:
    anchors = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.52], [0.6, 0.6, 0.9, 0.9]])
    scores = torch.tensor([[[3.0, -9, -9], [4, -9, -9], [-9, 2, -9]]])
    task = Detect(LABELS, least=0.5)

    told = task.decode(
        {"scores": scores, "boxes": torch.zeros(1, 3, 4), "anchors": anchors}, files=["a.jpg"], sizes=[(50, 100)]
    )[0]

    assert (told.file, told.labels) == ("a.jpg", ("circle", "square"))
    assert told.pixels[0] == pytest.approx((10, 5, 50, 26))


def test_precision_is_one_for_the_truth_and_falls_with_every_miss() -> None:
    truths = [truth([[0.1, 0.1, 0.5, 0.5], [0.5, 0.5, 0.9, 0.9]], [0, 1]), truth([[0.2, 0.2, 0.4, 0.6]], [0])]
    right = [Found(one.boxes, torch.ones(len(one.labels)), one.labels) for one in truths]
    missed = [right[0], Found(right[1].boxes[:0], right[1].scores[:0], right[1].labels[:0])]

    best, less, none = (average_precision(told, truths, LABELS) for told in (right, missed, [missed[1]] * 2))

    assert (best["map"], best["map50"], best["map75"]) == pytest.approx((1, 1, 1))
    assert [row["map"] for row in best["per_class"]] == [pytest.approx(1), pytest.approx(1), None]
    assert [row["count"] for row in best["per_class"]] == [2, 1, 0]
    assert less["map"] < 1
    assert none["map"] == 0


def test_precision_is_that_of_pycocotools() -> None:
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    from mobilevision.tasks.precision import _told, _truths

    generator = torch.Generator().manual_seed(1)

    def some(count: int) -> Tensor:
        corners = torch.rand(count, 2, generator=generator) * 0.6
        return torch.cat([corners, corners + 0.1 + 0.3 * torch.rand(count, 2, generator=generator)], 1)

    truths, found = [], []
    for _ in range(12):
        labels = torch.randint(3, (6,), generator=generator)
        truths.append(truth(some(6).tolist(), labels.tolist(), [True, *[False] * 5]))
        near = truths[-1].boxes + 0.03 * torch.randn(6, 4, generator=generator)
        told = Found(torch.cat([near, some(20)]), torch.rand(26, generator=generator), labels.repeat(5)[:26])
        found.append(told)

    reference = coco.COCO()
    reference.dataset = _truths(truths, LABELS)
    reference.createIndex()
    rows = [row for place, pair in enumerate(zip(found, truths, strict=True)) for row in _told(place, *pair)]
    measured = evaluation.COCOeval(reference, reference.loadRes(rows), "bbox")
    measured.evaluate()
    measured.accumulate()
    measured.summarize()
    ours = average_precision(found, truths, LABELS)

    assert [ours["map"], ours["map50"], ours["map75"]] == pytest.approx(list(measured.stats[:3]), abs=1e-9)
    assert 0.05 < ours["map"] < 0.95


def test_the_segmenters_loss_knows_undecided_pixels_and_weights() -> None:
    task = Segment(("background", "nucleus"))
    scores = torch.randn(2, 2, 8, 8)
    masks = torch.randint(2, (2, 16, 16))
    half = masks.clone()
    half[:, :8] = UNKNOWN
    large = F.interpolate(scores, size=(16, 16), mode="bilinear")

    torch.testing.assert_close(task.loss(scores, masks), F.cross_entropy(large, masks))
    torch.testing.assert_close(task.loss(scores, half), F.cross_entropy(large[:, :, 8:], masks[:, 8:]))
    weights = torch.tensor([1.0, 3.0])
    torch.testing.assert_close(task.loss(scores, masks, weights=weights), F.cross_entropy(large, masks, weights))
    assert task.loss(scores, torch.full_like(masks, UNKNOWN)) == 0
    both = task.loss({"scores": scores, "auxiliary": scores}, masks)
    torch.testing.assert_close(both, 1.4 * F.cross_entropy(large, masks))


def test_intersection_over_union_counts_all_pixels_together() -> None:
    task = Segment(("background", "nucleus", "other"))
    truth = torch.tensor([[[0, 0, 1, 1], [0, 0, 1, UNKNOWN]]])
    said = torch.tensor([[[0, 1, 1, 1], [0, 0, 0, 1]]])

    metrics = task.evaluate(
        lambda pictures: F.one_hot(said, 3).movedim(-1, 1).float(), [(torch.zeros(1, 3, 2, 4), truth)]
    )

    assert [row["iou"] for row in metrics["per_class"]] == [pytest.approx(3 / 5), pytest.approx(2 / 4), None]
    assert metrics["miou"] == pytest.approx((3 / 5 + 2 / 4) / 2)
    assert metrics["accuracy"] == pytest.approx(5 / 7)
    assert metrics["count"] == 1


def test_a_mask_is_told_at_the_size_that_is_asked_for() -> None:
    task = Segment(("background", "nucleus"))
    scores = torch.zeros(1, 2, 4, 4)
    scores[:, 1, :, 2:] = 9
    scores[:, 0, :, :2] = 9

    told = task.decode(scores, sizes=[(20, 40)], files=["x.png"])[0]

    assert told.mask.shape == (20, 40)
    assert told.shares == {"background": pytest.approx(0.5, abs=0.03), "nucleus": pytest.approx(0.5, abs=0.03)}


@pytest.mark.parametrize("labels", [(), ("cat", "cat")])
def test_labels_must_name_classes(labels: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        Detect(labels)
    with pytest.raises(UsageError):
        Segment(labels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, {"train": 4, "val": 1})
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "head", [SSDLite((64, 64), smallest=0.2, largest=0.6), RetinaNetLite(48, depth=1, size=3)], ids=["ssd", "retinanet"]
)
def test_a_detector_learns_four_pictures_by_heart(folder: Path, head: SSDLite | RetinaNetLite) -> None:
    data = read_boxes(folder)
    task, preprocessing = Detect(data.labels), Preprocessing((96, 96))
    network = learned(BACKBONE.with_head(head), task, data.train, preprocessing, steps=220)

    batches = task.batches(data.train, transform=task.evaluation(preprocessing), batch=4)
    metrics = task.evaluate(network, batches, files=["a", "b", "c", "d"])

    assert metrics["map50"] > 0.9
    assert metrics["shown"][0]["file"] == "a"


@pytest.mark.slow
@pytest.mark.parametrize("head", [LRASPP(32), DeepLabV3(32, rates=(2,), auxiliary=True)], ids=["lraspp", "deeplab"])
def test_a_segmenter_learns_four_pictures_by_heart(folder: Path, head: LRASPP | DeepLabV3) -> None:
    data = read_masks(folder)
    task, preprocessing = Segment(data.labels), Preprocessing((96, 96))
    arch = BACKBONE.with_head(head).dilated(8)  # at stride 16, pixels of shapes so small are lost
    network = learned(arch, task, data.train, preprocessing, steps=150)

    batches = task.batches(data.train, transform=task.evaluation(preprocessing), batch=4)
    metrics = task.evaluate(network, batches)

    assert metrics["miou"] > 0.75
    assert len(metrics["confusion"]) == 4


def learned(
    arch: Arch, task: Detect | Segment, samples: object, preprocessing: Preprocessing, *, steps: int
) -> Network:
    """A network that has seen the same pictures so many times."""
    still = Augment(area=(1.0, 1.0), flip=0.0)
    transform = pickle.loads(pickle.dumps(task.training(preprocessing, still)))
    pictures, targets = next(iter(task.batches(samples, transform=transform, batch=4)))  # type: ignore[arg-type]
    network = Network(replace(arch, size=96), task.outputs)
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(steps):
        optimizer.zero_grad()
        task.loss(task.forward(network, pictures), targets).backward()  # type: ignore[arg-type]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def test_a_mask_made_small_is_told_in_runs() -> None:
    mask = torch.zeros(320, 640, dtype=torch.uint8)
    mask[160:, 320:] = 2
    mask[:8] = UNKNOWN

    facts = rolled(mask)
    again = unrolled(facts["runs"], facts["size"])

    assert facts["size"] == [80, 160]
    assert torch.equal(again, torch.where(mask == UNKNOWN, 0, mask)[::4, ::4])
