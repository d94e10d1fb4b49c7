"""The decoder of detectors that are exported raw: NumPy alone, so that an app may copy it. A report shows it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def decode(
    rows: Array, *, least: float = 0.001, overlap: float = 0.55, candidates: int = 300, most: int = 300
) -> Array:
    """The boxes that stay, best first.

    Args:
        rows: what the file gives of one picture, a row for each anchor: left, top, right and bottom as fractions of the
            picture, then the probability of each class. Shape: (anchors, 4 + classes).
        least: probability below which a box is not told.
        overlap: intersection over union above which the lesser of two boxes of a class is dropped.
        candidates: boxes of each class that are compared at most.
        most: boxes a picture at most.

    Returns:
        Left, top, right, bottom, probability, class. Shape: (boxes, 6).
    """
    found = []
    for label, chances in enumerate(rows[:, 4:].T):
        order = np.argsort(-chances, kind="stable")[:candidates]
        order = order[chances[order] > least]
        while len(order):
            best, order = order[0], order[1:]
            found.append([*rows[best, :4], chances[best], label])
            order = order[shared(rows[best, :4], rows[order, :4]) <= overlap]
    found.sort(key=lambda row: -row[4])
    return np.array(found[:most], np.float32).reshape(-1, 6)


def shared(box: Array, boxes: Array) -> Array:
    """Intersection over union of a box with each of others. Shape: (4,), (boxes, 4) -> (boxes,)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    both = sides.clip(0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - both
    return np.asarray(both / np.maximum(areas, 1e-12))
