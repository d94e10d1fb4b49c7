"""How well boxes are found: COCO's mean average precision, by faster-coco-eval."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mobilevision.data.scenes import Truth
from mobilevision.errors import missing_extra

MOST = 100  # boxes of a picture that COCO looks at
NONE = -1.0  # what COCO says of a class without boxes


class Found(NamedTuple):
    """The boxes found in one picture, best first.

    Attributes:
        boxes: left, top, right and bottom as fractions of the picture. Shape: (boxes, 4).
        scores: probabilities. Shape: (boxes,).
        labels: classes. Shape: (boxes,).
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor

    def above(self, least: float) -> Found:
        """Those whose probability is at least `least`."""
        keep = self.scores >= least
        return Found(self.boxes[keep], self.scores[keep], self.labels[keep])


def average_precision(found: Sequence[Found], truths: Sequence[Truth], labels: Sequence[str]) -> dict[str, Any]:
    """COCO's figures, from 0 to 1.

    Returns:
        "map": mean over the classes and the overlaps .5, .55 to .95; "map50" and "map75" at those overlaps;
        "per_class": of each class its "label", "count", "map" and "map50", None where there is no box of it.

    Raises:
        MissingError: if faster-coco-eval is not installed.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError as error:
        raise missing_extra("faster-coco-eval", "detect") from error
    facts = _truths(truths, labels)
    told = [
        row for place, (one, truth) in enumerate(zip(found, truths, strict=True)) for row in _told(place, one, truth)
    ]
    counts = torch.bincount(torch.cat([truth.labels for truth in truths]), minlength=len(labels)).tolist()
    if not told or not facts["annotations"]:
        precision = torch.zeros(10, len(labels)).masked_fill(torch.tensor(counts) == 0, NONE)
    else:
        with contextlib.redirect_stdout(io.StringIO()):  # it tells of its progress
            truth = COCO(facts)
            measured = COCOeval_faster(truth, truth.loadRes(told), "bbox", print_function=lambda _: None)
            measured.evaluate()
            measured.accumulate()
        # overlaps, recalls, classes, areas, most boxes -> the mean over recalls for all areas and the most boxes
        precision = torch.as_tensor(measured.eval["precision"])[:, :, :, 0, -1].mean(1)  # (overlaps, classes)
    return _figures(precision, counts, labels)


def _figures(precision: Tensor, counts: Sequence[int], labels: Sequence[str]) -> dict[str, Any]:
    there = precision[:, precision[0] > NONE]
    at = {"map": slice(None), "map50": slice(0, 1), "map75": slice(5, 6)}
    means = {name: there[part].mean().item() if there.numel() else 0.0 for name, part in at.items()}
    rows = [
        {
            "label": label,
            "count": count,
            "map": column.mean().item() if column[0] > NONE else None,
            "map50": column[0].item() if column[0] > NONE else None,
        }
        for label, count, column in zip(labels, counts, precision.T, strict=True)
    ]
    return means | {"per_class": rows}


def _truths(truths: Sequence[Truth], labels: Sequence[str]) -> dict[str, Any]:
    """The true boxes as COCO writes them: left, top, width and height in pixels, everything counted from 1."""
    boxes: list[dict[str, Any]] = []
    for place, truth in enumerate(truths):
        for box, label, crowd in zip(
            _pixels(truth.boxes, truth), truth.labels.tolist(), truth.crowd.tolist(), strict=True
        ):
            facts = {"id": len(boxes) + 1, "image_id": place + 1, "category_id": label + 1, "bbox": box}
            boxes.append(facts | {"area": box[2] * box[3], "iscrowd": int(crowd)})
    images = [
        {"id": place + 1, "height": int(truth.size[0]), "width": int(truth.size[1])}
        for place, truth in enumerate(truths)
    ]
    names = [{"id": place + 1, "name": label} for place, label in enumerate(labels)]
    return {"images": images, "annotations": boxes, "categories": names}


def _told(place: int, found: Found, truth: Truth) -> list[dict[str, Any]]:
    columns = (x[:MOST] for x in found)
    boxes, scores, classes = columns
    return [
        {"image_id": place + 1, "category_id": label + 1, "bbox": box, "score": score}
        for box, label, score in zip(_pixels(boxes, truth), classes.tolist(), scores.tolist(), strict=True)
    ]


def _pixels(boxes: Tensor, truth: Truth) -> list[list[float]]:
    scaled = boxes.double().cpu() * truth.size.cpu().flip(0).repeat(2)
    return torch.cat([scaled[:, :2], scaled[:, 2:] - scaled[:, :2]], 1).tolist()
