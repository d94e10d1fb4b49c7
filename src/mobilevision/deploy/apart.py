"""How far what a file gives is from what torch says of the same pictures, where a file gives more than scores.

A file that chooses among boxes, or tells the class of a pixel, may choose otherwise where two are nearly alike, and no
order of its rows is the right one. So what it gives is held against all that torch says before anything is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mobilevision.deploy.shown import Pictures, readable
from mobilevision.errors import InputError
from mobilevision.models import Model
from mobilevision.tasks.coding import decode
from mobilevision.tasks.filed import RawDetect
from mobilevision.tasks.segment import enlarged

PART = 32
"""Pictures that are in memory at a time."""

MOST = 256
"""Pictures that are compared at most, spread over all."""

Predict = Callable[[Tensor], Any]


@torch.no_grad()
def apart(model: Model, predict: Predict, pictures: Pictures, *, task: Any) -> tuple[int, float]:
    """How many pictures were compared, and the largest difference, as `WAYS` tells it.

    Args:
        model: the network.
        predict: gives what the file gives for pictures, shape (N, channels, H, W).
        pictures: what to compare on; what cannot be read is left out.
        task: reads what the file gives.

    Raises:
        InputError: if none can be read.
    """
    files: tuple[Path, ...] = pictures.files[:: max(1, -(-len(pictures.files) // MOST))]
    count, largest = 0, 0.0
    for i in range(0, len(files), PART):
        kept, shown = readable(files[i : i + PART], model)
        if kept:
            found = WAYS[task.name](task, predict(shown), model.network.eval()(shown))
            count, largest = count + len(kept), float(torch.tensor([largest, found]).max())  # keeps what is no number
    if not count:
        raise InputError(f"none of the pictures in {pictures.source} can be read; a file is compared on them")
    return count, largest


def boxes_apart(task: Any, given: Tensor, outputs: Mapping[str, Tensor]) -> float:
    """The largest difference of a side or a probability from those of the nearest of all of torch's boxes.

    What the file leaves out shows in its precision.

    Args:
        task: the detector as its file is read.
        given: by the file.
        outputs: the network's own.
    """
    style = task.style(outputs)
    chances = style.probabilities(outputs["scores"].float())  # (N, anchors, classes)
    boxes = decode(outputs["boxes"].float(), outputs["anchors"].float(), style.code).clamp(0, 1)
    if isinstance(task, RawDetect):
        return float((given - torch.cat([boxes, chances], -1)).abs().max())
    found = [
        _nearest(each.boxes, each.scores, boxes[i], chances[i][:, each.labels].T)
        for i, each in enumerate(task.found(given))
    ]
    return max(found, default=0.0)


def _nearest(boxes: Tensor, scores: Tensor, all_boxes: Tensor, all_scores: Tensor) -> float:
    """Shape: (boxes, 4), (boxes,), (anchors, 4), (boxes, anchors)."""
    off = (scores[:, None] - all_scores).abs()
    for side in range(4):
        off = torch.maximum(off, (boxes[:, side, None] - all_boxes[:, side]).abs())
    return float(off.min(1).values.max()) if len(off) else 0.0


def masks_apart(task: Any, given: Tensor, outputs: Any) -> float:
    """The largest difference of a score of a pixel, as a share of the largest score.

    Where the file gives classes, it is by how much torch would rather have another class than the file's.

    Args:
        task: the segmenter as its file is read.
        given: by the file.
        outputs: the network's own.
    """
    scores = enlarged(task.scores(outputs), given.shape[-2:])
    if given.ndim == 4:
        return float((given - scores).abs().max() / scores.abs().max())
    said = scores.gather(1, given.long()[:, None])[:, 0]
    return float((scores.amax(1) - said).max() / scores.abs().max())


def vectors_apart(task: Any, given: Tensor, outputs: Tensor) -> float:
    """The largest Euclidean distance of a vector from torch's, both of length 1.

    Args:
        task: the file's.
        given: by the file.
        outputs: the network's own.
    """
    return float((given.double() - outputs.double()).norm(dim=1).max())


WAYS: dict[str, Callable[[Any, Tensor, Any], float]] = {
    "detect": boxes_apart,
    "segment": masks_apart,
    "embed": vectors_apart,
}

SAID = {
    "map50": "boxes and probabilities",
    "miou": "scores of pixels",
    "recall1": "vectors",
}
"""What differs, by the figure that the file is judged by."""
