"""Pictures with masks: pairs and contours give the same pixels, and what is wrong is told."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobilevision.data.augment import Augment
from mobilevision.data.joint import boxes_of, mask_of, stretched, varied
from mobilevision.data.masks import check_masks, read_masks
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.data.scene_loader import box_loader, mask_loader
from mobilevision.data.scenes import UNKNOWN, MaskSample
from mobilevision.data.shapes import write_shapes
from mobilevision.errors import InputError, UsageError


def shapes(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    write_shapes(folder, {"train": 4, "val": 2})
    return folder


def written(folder: Path, numbers: np.ndarray) -> None:
    Image.fromarray(numbers.astype(np.uint8)).save(folder / "masks" / "train" / "0000.png")


def test_pairs_and_contours_give_the_same_pixels(tmp_path: Path) -> None:
    root = shapes(tmp_path)
    pairs, contours = check_masks(root), check_masks(root / "train.json", validation=0)

    assert pairs.labels == contours.labels == ("background", "circle", "square", "triangle")
    for one, other in zip(pairs.train, contours.train, strict=True):
        assert isinstance(one, MaskSample)
        assert isinstance(other, MaskSample)
        assert np.array_equal(np.asarray(one.draw((96, 96))), np.asarray(other.draw((96, 96))))


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        (np.zeros((96, 95)), "its mask has 95 x 96 pixels, the picture 96 x 96"),
        (
            np.arange(96 * 96).reshape(96, 96) % 256,
            "its mask has the numbers 4, 5, 6, 7, 8 and 246 more, and 4 classes",
        ),
        (np.full((96, 96), 4), "its mask has the numbers 4, and 4 classes are named"),
        (np.zeros((96, 96, 3)), "has colors"),
    ],
)
def test_a_mask_that_is_not_right_is_set_aside_with_its_reason(
    tmp_path: Path, numbers: np.ndarray, reason: str
) -> None:
    root = shapes(tmp_path)
    written(root, numbers)

    data = check_masks(root)

    assert [each.file.name for each in data.set_aside] == ["0000.png"]
    assert reason in data.set_aside[0].reason


def test_partners_that_are_missing_and_copies_are_set_aside(tmp_path: Path) -> None:
    root = shapes(tmp_path)
    (root / "masks" / "train" / "0001.png").unlink()
    (root / "images" / "train" / "0002.png").unlink()
    (root / "images" / "val" / "0001.png").write_bytes((root / "images" / "train" / "0003.png").read_bytes())

    data = check_masks(root)

    told = {each.file.relative_to(root).as_posix(): each.reason for each in data.set_aside}
    assert told == {
        "images/train/0001.png": "it has no mask of its name in masks",
        "masks/train/0002.png": "it has no picture of its name in images",
        "images/val/0001.png": "it is a copy of images/train/0003.png, which is kept",
    }


def test_undecided_pixels_are_no_class(tmp_path: Path) -> None:
    root = shapes(tmp_path)
    written(root, np.full((96, 96), UNKNOWN))

    assert check_masks(root).set_aside == ()


def test_masks_without_names_tell_where_to_write_them(tmp_path: Path) -> None:
    root = shapes(tmp_path)
    (root / "classes.txt").unlink()

    with pytest.raises(InputError, match="name the masks' classes in it, one a line"):
        read_masks(root)


def test_objects_without_a_contour_are_set_aside_and_crowds_are_undecided(tmp_path: Path) -> None:
    root = shapes(tmp_path)
    facts = json.loads((root / "train.json").read_text())
    rows = facts["annotations"]
    rows[0]["segmentation"] = {"counts": "abc", "size": [96, 96]}
    rows[-1] |= {"segmentation": {"counts": "abc", "size": [96, 96]}, "iscrowd": 1, "bbox": [0, 0, 10, 10]}
    (root / "one.json").write_text(json.dumps(facts))

    data = check_masks(root / "one.json", validation=0)

    assert "has no contour of corners" in data.set_aside[0].reason
    last = data.train[-1]
    assert isinstance(last, MaskSample)
    assert np.asarray(last.draw((96, 96)))[5, 5] == UNKNOWN


def test_a_stretched_scene_keeps_boxes_and_mask_with_the_picture() -> None:
    pixels = np.zeros((30, 60, 3), dtype=np.uint8)
    pixels[10:20, 30:60] = 255
    mask = Image.fromarray((pixels[..., 0] > 0).astype(np.uint8))
    plain = Preprocessing((90, 60), (0.0,) * 3, (1.0,) * 3)
    scene = {"image": Image.fromarray(pixels), "mask": mask_of(mask), "boxes": boxes_of([(30, 10, 60, 20)], 30, 60)}
    scene |= {"labels": torch.tensor([0]), "crowd": torch.tensor([False])}

    moved = stretched(plain)(scene)

    assert moved["image"].shape == (3, 90, 60)
    assert moved["boxes"].tolist() == [[30, 30, 60, 60]]
    assert torch.equal(moved["mask"][0] == 1, moved["image"][0] > 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_a_varied_scene_keeps_boxes_and_mask_together(seed: int) -> None:
    torch.manual_seed(seed)
    pixels = np.zeros((60, 80, 3), dtype=np.uint8)
    pixels[20:40, 30:50] = 255
    mask = Image.fromarray((pixels[..., 0] > 0).astype(np.uint8))
    plain = Preprocessing((64, 64), (0.0,) * 3, (1.0,) * 3)
    scene = {"image": Image.fromarray(pixels), "mask": mask_of(mask), "boxes": boxes_of([(30, 20, 50, 40)], 60, 80)}
    scene |= {"labels": torch.tensor([0]), "crowd": torch.tensor([False])}

    moved = varied(plain, Augment(area=(0.4, 0.9)))(scene)

    there = (moved["mask"][0] == 1).nonzero()
    assert len(moved["boxes"]) == bool(len(there))
    if len(there):
        (top, left), (bottom, right) = there.min(0).values.tolist(), (there.max(0).values + 1).tolist()
        assert moved["boxes"][0].tolist() == pytest.approx([left, top, right, bottom], abs=1.5)


def test_a_policy_that_does_not_move_boxes_is_refused() -> None:
    with pytest.raises(UsageError, match="does not move boxes"):
        varied(Preprocessing(), Augment(policy="trivial"))


def test_batches_are_the_same_however_many_workers_make_them(tmp_path: Path) -> None:
    from mobilevision.data.boxes import read_boxes

    root = shapes(tmp_path)
    preprocessing = Preprocessing((48, 48))
    transform = varied(preprocessing, Augment(area=(0.3, 1)))
    found = []
    for workers in (0, 2):
        boxes = box_loader(
            read_boxes(root).train, transform=transform, outputs=3, batch=2, shuffle=True, workers=workers
        )
        masks = mask_loader(read_masks(root).train, transform=transform, batch=2, shuffle=True, workers=workers)
        found.append([*boxes, *masks])

    for (one, truth), (other, same) in zip(*found, strict=True):
        assert torch.equal(one, other)
        pairs = zip(truth, same, strict=True)
        assert all(torch.equal(a, b) for left, right in pairs for a, b in zip(left, right, strict=True))


def test_nuclei_are_read_without_a_complaint(real_data: Path) -> None:
    data = read_masks(real_data / "nuclei_dsb2018")

    assert data.labels == ("background", "nucleus")
    assert [len(part) for part in data.splits.values()] == [531, 133, 0]
    assert data.set_aside == ()
