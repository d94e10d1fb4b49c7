"""What exported files give where they give more than a network: boxes with the best chosen, masks with the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from mobilevision.data.scenes import Truth
from mobilevision.errors import InputError
from mobilevision.tasks.detect import Detect
from mobilevision.tasks.precision import Found
from mobilevision.tasks.segment import Segment

ROW = 6
"""Numbers a box has in a file: left, top, right, bottom, as fractions of the picture, its probability, its class."""


@dataclass(frozen=True)
class FiledDetect(Detect):
    """Detection by a file, which decodes boxes and drops the lesser of those that cover each other."""

    def found(self, outputs: Any) -> list[Found]:
        """The boxes of each picture, best first.

        Args:
            outputs: rows of boxes; those that are none have probability 0. Shape: (N, boxes, 6).

        Raises:
            InputError: if they are of another shape.
        """
        if outputs.ndim != 3 or outputs.shape[-1] != ROW:
            raise InputError(f"boxes of shape {tuple(outputs.shape)} are not rows of {ROW} numbers; export again")
        return [self._sorted(rows.float().cpu()) for rows in outputs]

    def _sorted(self, rows: Tensor) -> Found:
        rows = rows[rows[:, 4] > self.least]
        rows = rows[rows[:, 4].argsort(descending=True, stable=True)]
        return Found(rows[:, :4], rows[:, 4], rows[:, 5].round().long())

    def lost(self, outputs: Any, targets: Sequence[Truth]) -> dict[str, float]:
        """Nothing: a file tells no offsets that a loss could take."""
        return {}


@dataclass(frozen=True)
class FiledSegment(Segment):
    """Segmentation by a file, which gives scores, (N, classes, h, w), or the classes themselves, (N, H, W)."""

    def scores(self, outputs: Any) -> Tensor:
        """Scores of either. Shape: (N, classes, h, w)."""
        if outputs.ndim == 4:
            return super().scores(outputs)
        return F.one_hot(outputs.long().cpu(), self.outputs).movedim(-1, 1).float()

    def lost(self, outputs: Any, targets: Tensor) -> dict[str, float]:
        """The loss of scores; classes alone have none."""
        return super().lost(outputs, targets) if outputs.ndim == 4 else {}
